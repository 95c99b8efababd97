"""How accurate a model is, on clean images and on the worst ones that PGD finds around them."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from advtool import keyed
from advtool.attacks import pgd
from advtool.attacks.guard import logits_of, untouched
from advtool.data.arrays import Images
from advtool.data.batches import in_order
from advtool.device import Settings
from advtool.evaluation.statistics import accuracy
from advtool.threat import Threat

Progress = Callable[[int], None]


def evaluate(
    model: nn.Module,
    images: Images,
    threats: Sequence[Threat],
    settings: Settings,
    progress: Progress = lambda count: None,
    lam: float = 1.0,
) -> dict:
    """Clean accuracy, and robust accuracy under each threat.

    An image counts as robust if it is classified correctly clean and on the strongest iterate of PGD. Decisions
    are made in float32.

    Parameters
    ----------
    progress : called with the number of images done, once for the clean pass and once a threat
    lam : weight of the adversarial risk in the joint risk

    Returns
    -------
    ``{"clean": …, "adversarial": [… one a threat]}`` as in the report of ``advtool eval --json``
    """
    clean = correct_clean(model, images, settings, progress)
    n = len(images)
    entries = []
    for threat in threats:
        robust = clean & correct_attacked(model, images, threat, settings, progress)
        entries.append(
            {
                "adv": threat.norm,
                "eps": threat.eps,
                "attack": "pgd",
                "steps": threat.steps,
                "step_size": threat.step_size,
                "random_start": threat.random_start,
                "restarts": threat.restarts,
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
        return _over_batches(images, settings, progress, lambda x, y, ids: _correct(model, x, y))


def correct_attacked(
    model: nn.Module, images: Images, threat: Threat, settings: Settings, progress: Progress
) -> Tensor:
    """Whether each image is still classified correctly on PGD's strongest iterate: bool, N, on the CPU."""
    seed = keyed.derive(settings.seed, "evaluation")

    def survives(x: Tensor, y: Tensor, ids: Tensor) -> Tensor:
        adversarial = pgd(model, x, y, threat, ids=ids, seed=seed, amp=settings.amp)
        return _correct(model, adversarial, y)

    with untouched(model):
        return _over_batches(images, settings, progress, survives)


def _over_batches(images: Images, settings: Settings, progress: Progress, decide) -> Tensor:
    parts = []
    for x, y, ids in in_order(images, settings.batch_size, settings.device):
        parts.append(decide(x, y, ids).cpu())
        progress(len(x))
    return torch.cat(parts)


@torch.no_grad()
def _correct(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return logits_of(model, x).argmax(1) == y
