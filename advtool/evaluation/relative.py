"""Risk relative to a base classifier (Suggala et al. 2019, definitions 1 to 3)."""

from torch import Tensor, nn

from advtool import keyed
from advtool.attacks.guard import predictions_of, untouched
from advtool.data.arrays import Images
from advtool.data.batches import in_order
from advtool.device import Settings
from advtool.evaluation.evaluate import Progress
from advtool.registry import Planned


def relative_risk(
    model: nn.Module,
    base: nn.Module,
    images: Images,
    attack: Planned,
    lam: float,
    settings: Settings,
    progress: Progress = lambda count: None,
) -> dict:
    """Classification, adversarial and joint risk of `model` with respect to a base classifier g, as fractions.

    A perturbation counts only where g keeps its answer. Adversarial risk is the share of images for which such a
    perturbation makes the model disagree with g, less the share on which it disagrees anyway; joint risk adds
    `lam` times that to the classification risk. All points of PGD's path are looked at.
    """
    wrong = disagreeing = fooled = 0
    seed = keyed.derive(settings.seed, "evaluation")
    with untouched(model), untouched(base):
        for x, y, ids in in_order(images, settings.batch_size, settings.device):
            answer = predictions_of(base, x)
            clean = predictions_of(model, x)

            def kept(z: Tensor, answer: Tensor = answer) -> Tensor:
                return predictions_of(base, z) == answer

            adversarial = attack(model, x, answer, allowed=kept, ids=ids, seed=seed, amp=settings.amp)
            wrong += int((clean != y).sum())
            disagreeing += int((clean != answer).sum())
            fooled += int(
                ((clean != answer) | ((predictions_of(model, adversarial) != answer) & kept(adversarial))).sum()
            )
            progress(len(x))
    n = len(images)
    classification, adversarial_risk = wrong / n, (fooled - disagreeing) / n
    return {
        "classification": classification,
        "adversarial": adversarial_risk,
        "joint": classification + lam * adversarial_risk,
    }
