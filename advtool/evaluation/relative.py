"""Risk relative to a base classifier (Suggala et al. 2019, definitions 1 to 3)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from advtool import seeds
from advtool.attacks.guard import predictions_of
from advtool.data.batches import Batch
from advtool.device import Settings
from advtool.evaluation.batch import Indexed, predictions
from advtool.memory import in_halves
from advtool.prepared import Network
from advtool.registry import Planned

ON_THE_WAY = 32
"""Places on the line from an image to what an attack made of it."""


def excess(
    model: nn.Module,
    base: nn.Module,
    images: Indexed,
    attacks: Sequence[Planned],
    clean: Tensor,
    settings: Settings,
) -> int:
    """On how many images a perturbation makes the model disagree with a base classifier g that keeps its answer.

    Images on which they disagree as they are do not count. Every attack is held to g at each of its steps, the way to
    what it ends with is looked at as well, and it gets the images that those before it left.

    Parameters
    ----------
    model, base : in eval mode
    clean : int64, N, the model's predictions for the clean images
    """
    network = images.prepared(model)
    answers, seed, found = predictions(base, images), seeds.derive(settings.seed, "evaluation"), 0
    for places, batch in images.batches((clean == answers).nonzero()[:, 0]):

        def added(part: slice, batch: Batch = batch, places: Tensor = places) -> int:
            x, answer, ids = batch[0][part], answers[places[part]].to(batch[0].device), batch[2][part]

            left = torch.arange(len(x), device=x.device)
            for attack in attacks:
                left = left[~_broken(attack, network, base, (x[left], answer[left], ids[left]), seed)]
                if not len(left):
                    break
            return len(x) - len(left)

        found += sum(in_halves(added, len(places)))
    return found


def _broken(attack: Planned, network: Network, base: nn.Module, batch: Batch, seed: int) -> Tensor:
    """Whether an attack finds, for each image, where the model leaves the answer and the base classifier does not."""
    x, answer, ids = batch

    def kept(z: Tensor, labels: Tensor) -> Tensor:
        return predictions_of(base, z) == labels

    with network.held_to(kept):
        adversarial = attack(network, x, answer, ids=ids, seed=seed)
    broken = torch.zeros_like(answer, dtype=torch.bool)
    for share in torch.linspace(1, 0, ON_THE_WAY + 1)[:-1].tolist():  # there too, since steps may be long
        z = torch.lerp(x, adversarial, share)
        broken |= (predictions_of(network, z) != answer) & kept(z, answer)
    return broken
