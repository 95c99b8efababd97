"""Evaluations of disjoint parts of the images, as those of several processes, made into one of all images."""

from collections.abc import Sequence

from advtool.evaluation.statistics import accuracy


def merged(parts: Sequence[dict]) -> dict:
    """The evaluation of all images together.

    Parameters
    ----------
    parts : evaluations as `evaluate`, `evaluate_ensemble` and `steps_curve` give them, of different images under the
        same threats: ``clean``, ``adversarial``, and ``targeted`` where there are targeted examples
    """
    result = {
        "clean": _counts([part["clean"] for part in parts]),
        "adversarial": [_entry(entries) for entries in zip(*(part["adversarial"] for part in parts), strict=True)],
    }
    targeted = [part["targeted"] for part in parts if part.get("targeted")]
    names = dict.fromkeys(name for counts in targeted for name in counts)
    if names:
        result["targeted"] = {name: _counts([c[name] for c in targeted if name in c]) for name in names}
    return result


def _entry(entries: Sequence[dict]) -> dict:
    """One threat's entry: counts are added, risks weighted by the number of images."""
    n = sum(entry["n"] for entry in entries)
    whole = {**entries[0], **_counts(entries)}
    whole["risk"] = {
        name: sum(entry["risk"][name] * entry["n"] for entry in entries) / n if isinstance(value, float) else value
        for name, value in entries[0]["risk"].items()
    }
    if "breakdown" in whole:
        rows = zip(*(entry["breakdown"] for entry in entries), strict=True)
        whole["breakdown"] = [
            {
                "attack": row[0]["attack"],
                "attacked": sum(part["attacked"] for part in row),
                "broken": sum(part["broken"] for part in row),
                "seconds": max(part["seconds"] for part in row),
            }
            for row in rows
        ]
    return whole


def _counts(entries: Sequence[dict]) -> dict:
    return accuracy(sum(entry["correct"] for entry in entries), sum(entry["n"] for entry in entries))
