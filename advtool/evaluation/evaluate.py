"""How accurate a model is, on clean images and on the worst ones that PGD finds around them."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from advtool import keyed
from advtool.attacks.guard import predictions_of, untouched
from advtool.data.arrays import Images
from advtool.data.batches import in_order
from advtool.device import Settings
from advtool.evaluation.statistics import accuracy
from advtool.registry import Planned

Progress = Callable[[int], None]


def evaluate(
    model: nn.Module,
    images: Images,
    attacks: Sequence[Planned],
    settings: Settings,
    progress: Progress = lambda count: None,
    lam: float = 1.0,
) -> dict:
    """Clean accuracy, and robust accuracy under each attack.

    An image counts as robust if it is classified correctly clean and on the what the attack returns. Decisions
    are made in float32.

    Parameters
    ----------
    progress : called with the number of images done, once for the clean pass and once for each attack
    lam : weight of the adversarial risk in the joint risk

    Returns
    -------
    ``{"clean": …, "adversarial": [… one for each attack]}`` as in the report of ``advtool eval --json``
    """
    clean = correct_clean(model, images, settings, progress)
    n = len(images)
    entries = []
    for attack in attacks:
        robust = clean & correct_attacked(model, images, attack, settings, progress)
        described = attack.to_json()
        entries.append(
            {
                **{name: described[name] for name in ("adv", "eps", "attack", "steps")},
                **{name: described[name] for name in ("step_size", "random_start", "restarts")},
                **accuracy(int(robust.sum()), n),
                "risk": risk(int(clean.sum()), int(robust.sum()), n, lam),
            }
        )
    return {"clean": accuracy(int(clean.sum()), n), "adversarial": entries}


def risk(clean: int, robust: int, n: int, lam: float = 1.0) -> dict:
    """Classification, adversarial and joint risk of Suggala et al. 2019 (definitions 1 and 2), as fractions.

    With the label standing in for the base classifier, adversarial risk is the excess over the clean error, and
    joint risk is their sum with weight `lam`.
    """
    classification, adversarial = (n - clean) / n, (clean - robust) / n
    return {
        "classification": classification,
        "adversarial": adversarial,
        "joint": classification + lam * adversarial,
    }


def correct_clean(model: nn.Module, images: Images, settings: Settings, progress: Progress) -> Tensor:
    """Whether each image is classified correctly: bool, N, on the CPU."""
    with untouched(model):
        return _over_batches(images, settings, progress, lambda x, y, ids: predictions_of(model, x) == y)


def correct_attacked(
    model: nn.Module, images: Images, attack: Planned, settings: Settings, progress: Progress
) -> Tensor:
    """Whether each image is still classified correctly after an attack: bool, N, on the CPU."""
    seed = keyed.derive(settings.seed, "evaluation")

    def survives(x: Tensor, y: Tensor, ids: Tensor) -> Tensor:
        adversarial = attack(model, x, y, ids=ids, seed=seed, amp=settings.amp)
        return predictions_of(model, adversarial) == y

    with untouched(model):
        return _over_batches(images, settings, progress, survives)


def _over_batches(images: Images, settings: Settings, progress: Progress, decide) -> Tensor:
    parts = []
    for x, y, ids in in_order(images, settings.batch_size, settings.device):
        parts.append(decide(x, y, ids).cpu())
        progress(len(x))
    return torch.cat(parts)
