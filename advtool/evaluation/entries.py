"""Counts as the report says them. Accuracies and risks are fractions."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from advtool.evaluation.counts import AttackCount, Counts, EntryCount
from advtool.evaluation.statistics import accuracy, expected
from advtool.registry import Planned

PLATEAU = 0.01


def described(
    counts: Counts,
    lam: float = 1.0,
    base: str | None = None,
    named: str | None = None,
    norm: str | None = None,
) -> dict[str, Any]:
    """``{"clean": …, "adversarial": [one for each entry]}``, and ``"targeted"`` where there is something to say.

    Parameters
    ----------
    lam : weight of the adversarial risk in the joint risk
    base : name of the base classifier of the risks; None if the labels stand in for it
    named : what the ensemble is called
    norm : that distances are in
    """
    report: dict[str, Any] = {
        "clean": _share(counts.clean, counts.n, counts),
        "adversarial": [_entry(entry, counts.n, lam, base, named) for entry in counts.entries],
    }
    if counts.union is not None:
        threats = [{"adv": entry["adv"], "eps": entry["eps"]} for entry in report["adversarial"]]
        report["union"] = {"threats": threats, **accuracy(counts.union, counts.n)}
    if counts.distances is not None:
        report["distances"] = {"adv": norm, **distances(counts.distances)}
    if counts.targeted:
        report["targeted"] = {name: accuracy(share.correct, share.n) for name, share in counts.targeted.items()}
    return report


def distances(found: Sequence[float]) -> dict[str, Any]:
    """Distances to the nearest adversarial example found, of all images: mean of those that have one, percentiles.

    A percentile is None where more images than that have none.
    """
    ordered = sorted(found)
    finite = [distance for distance in ordered if distance < math.inf]
    places = [min(len(ordered) - 1, round(share / 100 * (len(ordered) - 1))) for share in range(101)]
    percentiles = [ordered[place] if ordered[place] < math.inf else None for place in places]
    mean = math.fsum(finite) / len(finite) if finite else None
    return {
        "n": len(ordered),
        "found": len(finite),
        "mean": mean,
        "median": percentiles[50],
        "percentiles": percentiles,
    }


def risk(wrong: float, excess: float, n: int, lam: float = 1.0, base: str | None = None) -> dict[str, Any]:
    """Classification, adversarial and joint risk of Suggala et al. 2019 (definitions 1 to 3), as fractions.

    Adversarial risk is what the adversary adds to the disagreement with the base classifier, for which the label stands
    in where there is none; joint risk adds `lam` times that to the classification risk.
    """
    classification, adversarial = wrong / n, excess / n
    joint = classification + lam * adversarial
    return {"classification": classification, "adversarial": adversarial, "joint": joint, "base": base}


def plateaus(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Whether the curve of each radius has come to its end: `plateau` of each."""
    curves: dict[float, list[Mapping[str, Any]]] = {}
    for entry in entries:
        curves.setdefault(entry["eps"], []).append(entry)
    return [{"adv": curve[0]["adv"], "eps": eps, **plateau(curve)} for eps, curve in curves.items()]


def plateau(curve: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Whether the last doubling or so of the steps still gained more than one point of accuracy."""
    *_, before, last = curve
    gain = before["accuracy"] - last["accuracy"]
    return {"reached": gain <= PLATEAU, "gain": gain, "from_steps": before["steps"], "to_steps": last["steps"]}


def _entry(entry: EntryCount, n: int, lam: float, base: str | None, named: str | None) -> dict[str, Any]:
    attacks = [attack.to_json() for attack in entry.attacks]
    shared = {name: value if len(attacks) == 1 else None for name, value in attacks[0].items()}
    return {
        "adv": attacks[0]["adv"],
        "eps": attacks[0]["eps"],
        "attack": ",".join(attack["attack"] for attack in attacks),
        "ensemble": named,
        "steps": max(1 if attack["steps"] is None else attack["steps"] for attack in attacks),
        "step_size": shared["step_size"],
        "step_size_searched": entry.searched if shared["step_size"] is not None else None,
        "random_start": shared["random_start"],
        "restarts": max(1 if attack["restarts"] is None else attack["restarts"] for attack in attacks),
        "loss": shared["loss"],
        "eot": max(1 if attack["eot"] is None else attack["eot"] for attack in attacks),
        "calls": entry.calls,
        **_share(entry.standing, n, entry),
        "risk": risk(entry.wrong, entry.excess, n, lam, base),
        "breakdown": [_row(*row) for row in zip(entry.attacks, entry.breakdown, strict=True)],
    }


def _share(right: float, n: int, of: Counts | EntryCount) -> dict[str, Any]:
    """How many are right, of a random model in the mean over its calls."""
    if of.squares is None or of.calls is None:
        return accuracy(int(right), n)
    return expected(right, of.squares, n, of.calls)


def _row(attack: Planned, count: AttackCount) -> dict[str, Any]:
    options = attack.to_json()
    return {
        **{name: options[name] for name in ("attack", "steps", "restarts", "eot")},
        "attacked": count.attacked,
        "broken": count.broken,
        "forward": count.passes.forward,
        "backward": count.passes.backward,
        "seconds": round(count.seconds, 3),
    }
