"""An ensemble of attacks, each on what the ones before it left standing; the worst case of each sample."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from advtool import keyed
from advtool.attacks.guard import logits_of, untouched
from advtool.data.arrays import Images
from advtool.data.batches import in_order
from advtool.device import Settings
from advtool.evaluation.evaluate import Progress, risk
from advtool.evaluation.statistics import accuracy
from advtool.registry import Planned

CHUNK = 1000


@dataclass(frozen=True)
class Outcome:
    """What became of one image under one radius.

    Attributes
    ----------
    prediction : class predicted for the clean image
    broken_by : name of the first attack that changed a right prediction; ``clean`` if it was wrong from the
        start; None if the image stands
    distance : norm of the perturbation that broke it, 0 for ``clean``
    """

    key: str
    label: int
    eps: float
    prediction: int
    broken_by: str | None
    distance: float | None

    def to_json(self) -> dict:
        return asdict(self)


def evaluate_ensemble(
    model: nn.Module,
    images: Images,
    attacks: Sequence[Planned],
    settings: Settings,
    progress: Progress = lambda count: None,
    known: Callable[[str, float], Outcome | None] = lambda key, eps: None,
    sink: Callable[[Iterable[Outcome]], None] = lambda outcomes: None,
) -> tuple[dict, list[Outcome]]:
    """Worst-case accuracy under several attacks at one radius.

    Success is decided in float32 on what each attack returns.

    Parameters
    ----------
    known : gives the outcome of a sample that an earlier run has already settled
    sink : gets the outcomes of each thousand samples as soon as they are settled

    Returns
    -------
    (entry of the report's ``adversarial`` list, outcomes in the order of the images)
    """
    outcomes, tallies = [], {attack.name: _Tally() for attack in attacks}
    with untouched(model):
        for x, y, ids in in_order(images, CHUNK, settings.device):
            keys = images.keys[len(outcomes) : len(outcomes) + len(x)]
            settled = [known(key, attacks[0].ball.eps) for key in keys]
            fresh = [index for index, outcome in enumerate(settled) if outcome is None]
            found = _settle(model, x, y, ids, keys, fresh, attacks, settings, tallies)
            sink(found)
            for index, outcome in zip(fresh, found, strict=True):
                settled[index] = outcome
            outcomes += settled
            progress(len(x))
    return _entry(outcomes, attacks, tallies), outcomes


@dataclass
class _Tally:
    attacked: int = 0
    seconds: float = 0.0


def _settle(model, x, y, ids, keys, fresh, attacks, settings, tallies) -> list[Outcome]:
    """Run the attacks on the samples of a chunk that are not settled yet."""
    where = torch.tensor(fresh, dtype=torch.long, device=x.device)
    x, y, ids = x[where], y[where], ids[where]
    with torch.no_grad():
        predictions = torch.cat([logits_of(model, part).argmax(1) for part in x.split(settings.batch_size)] or [y])
    broken_by: list[str | None] = [None if p == t else "clean" for p, t in zip(predictions, y, strict=True)]
    distances: list[float | None] = [None if name is None else 0.0 for name in broken_by]
    for attack in attacks:
        started, standing = time.perf_counter(), [i for i, name in enumerate(broken_by) if name is None]
        tallies[attack.name].attacked += len(standing)
        for part in torch.tensor(standing, dtype=torch.long, device=x.device).split(settings.batch_size):
            if not len(part):
                continue
            fallen, norms = _attack(model, x[part], y[part], ids[part], attack, settings)
            for index, fell, norm in zip(part.tolist(), fallen.tolist(), norms.tolist(), strict=True):
                if fell:
                    broken_by[index], distances[index] = attack.name, norm
        tallies[attack.name].seconds += time.perf_counter() - started
    rows = zip(fresh, y.tolist(), predictions.tolist(), broken_by, distances, strict=True)
    return [
        Outcome(keys[i], label, attacks[0].ball.eps, guess, name, distance) for i, label, guess, name, distance in rows
    ]


def _attack(model, x: Tensor, y: Tensor, ids: Tensor, attack: Planned, settings: Settings) -> tuple[Tensor, Tensor]:
    """(whether each example fell, norm of its perturbation)."""
    adversarial = attack(model, x, y, ids=ids, seed=keyed.derive(settings.seed, "evaluation"), amp=settings.amp)
    with torch.no_grad():
        fallen = logits_of(model, adversarial).argmax(1) != y
    return fallen, attack.ball.norm(adversarial - x)


def _entry(outcomes: list[Outcome], attacks: Sequence[Planned], tallies: dict[str, _Tally]) -> dict:
    n = len(outcomes)
    clean = sum(outcome.broken_by != "clean" for outcome in outcomes)
    robust = sum(outcome.broken_by is None for outcome in outcomes)
    breakdown = []
    for attack in attacks:
        name = attack.name
        broken = sum(outcome.broken_by == name for outcome in outcomes)
        tally = tallies[name]
        breakdown.append(
            {"attack": name, "attacked": tally.attacked, "broken": broken, "seconds": round(tally.seconds, 3)}
        )
    return {
        "adv": attacks[0].ball.name,
        "eps": attacks[0].ball.eps,
        "attack": ",".join(attack.name for attack in attacks),
        "steps": max(attack.options.get("steps", 1) for attack in attacks),
        "restarts": max(attack.options.get("restarts", 1) for attack in attacks),
        **accuracy(robust, n),
        "risk": risk(clean, robust, n),
        "breakdown": breakdown,
    }
