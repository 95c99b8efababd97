"""What cannot be asked for together in an evaluation."""

from collections.abc import Mapping, Sequence
from typing import Any

from advtool import norms
from advtool.errors import UsageError
from advtool.registry import ATTACKS, Attack


def without_adversary(asked: Mapping[str, Any]) -> None:
    unasked = {"eps": (), "attack": "pgd", "restarts": 1, "lam": 1.0, "search_step_size": False, "curve": False}
    for name, value in asked.items():
        if value is not None and value != unasked.get(name):
            known = ", ".join(norms.NORMS)
            raise UsageError(f"does nothing without an adversary: give adv ({known}) and eps", parameter=name)


def radii(chosen: Sequence[str], given: Sequence[float], curve: bool) -> None:
    """Raise UsageError for norms that do not exist, and radii that they do not have."""
    for norm in chosen:
        norms.ball(norm)
    example = ",".join(norms.NORMS[norm].example for norm in chosen)
    if not given and not curve:
        raise UsageError(f"needs a radius, such as {example}", parameter="eps")
    norms.check_several(chosen, given)
    for place, radius in enumerate(given):
        norms.check_radius(chosen[place] if len(chosen) > 1 else chosen[0], radius)


def together(
    attacks: Sequence[Attack],
    chosen: Sequence[str],
    counts: Sequence[int],
    restarts: int | None,
    search_step_size: bool,
    base: object | None,
    per_sample: object | None,
    curve: bool,
) -> None:
    """Raise UsageError for parameters that do not go together."""
    pgd_alone = [attack.name for attack in attacks] == ["pgd"]
    several = search_step_size or len(counts) > 1
    if curve and not all(attack.minimal for attack in attacks):
        smallest = ", ".join(name for name, attack in ATTACKS.items() if attack.minimal)
        raise UsageError(f"takes attacks that look for the smallest perturbation: {smallest}", parameter="curve")
    for name, value in (("search_step_size", search_step_size), ("steps", len(counts) > 1), ("curve", curve)):
        if value and len(chosen) > 1:
            raise UsageError("is for one norm", parameter=name)
    if base is not None and (curve or len(chosen) > 1):
        raise UsageError("is for one norm, and for attacks in a ball", parameter="base")
    if len(counts) > 1 and not pgd_alone:
        raise UsageError("several numbers are for pgd alone", parameter="steps")
    if len(counts) > 1 and per_sample is not None:
        raise UsageError("is for one number of steps", parameter="per_sample")
    if search_step_size and not pgd_alone:
        raise UsageError("is for pgd alone", parameter="search_step_size")
    if search_step_size and per_sample is not None:
        raise UsageError("is for a step size that is not searched", parameter="per_sample")
    if several and restarts not in (None, 1):
        raise UsageError("is not for curves, nor where the step size is searched", parameter="restarts")
    if base is not None and (several or per_sample is not None):
        message = "is for one number of steps and a step size that is not searched, and not for records of samples"
        raise UsageError(message, parameter="base")


def saving(stages: Sequence[Any], models: int, recorded: bool) -> None:
    """Raise UsageError where there is no one worst image of each sample."""
    if models > 1:
        raise UsageError("takes one model", parameter="save_adversarial")
    if recorded:
        raise UsageError("is not for runs with records of samples, which hold no images", parameter="save_adversarial")
    if len(stages) != 1 or stages[0].read_at or stages[0].candidates:
        message = "is for one radius and one number of steps, or for a curve of smallest perturbations"
        raise UsageError(message, parameter="save_adversarial")
