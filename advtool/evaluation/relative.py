"""Risk relative to a base classifier (Suggala et al. 2019, definitions 1 to 3)."""

from torch import Tensor, nn

from advtool import seeds
from advtool.attacks.guard import predictions_of
from advtool.data.batches import Batch
from advtool.device import Settings
from advtool.evaluation.batch import Indexed, predictions
from advtool.memory import in_halves
from advtool.registry import Planned


def excess(
    model: nn.Module, base: nn.Module, images: Indexed, attack: Planned, clean: Tensor, settings: Settings
) -> int:
    """On how many images a perturbation makes the model disagree with a base classifier g that keeps its answer.

    Images on which they disagree as they are do not count. All points of PGD's path are looked at.

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

            def kept(z: Tensor) -> Tensor:
                return predictions_of(base, z) == answer

            adversarial = attack(network, x, answer, allowed=kept, ids=ids, seed=seed)
            return int(((predictions_of(model, adversarial) != answer) & kept(adversarial)).sum())

        found += sum(in_halves(added, len(places)))
    return found
