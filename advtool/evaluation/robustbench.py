"""What RobustBench says of a model in its ``model_info`` (Croce et al. 2021, https://arxiv.org/abs/2010.09670)."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from advtool import bounds
from advtool.errors import AdvtoolError, UsageError
from advtool.evaluation.plan import Evaluation
from advtool.io.atomic import whole_file
from advtool.values import listed, text

DATASETS = {"cifar10": 10_000, "cifar100": 10_000, "imagenet": 5_000}
"""Those that RobustBench has, and on how many images it evaluates a model."""

NORMS = ("linf", "l2")

_PAPER = ("link", "name", "authors", "additional_data", "number_forward_passes", "dataset", "venue", "architecture")
_RESULTS = ("eps", "clean_acc", "reported", "autoattack_acc", "footnote")
_MEASURED = ("eps", "clean_acc", "autoattack_acc")
_OURS = re.compile(r"Evaluated on [0-9,]+ images .*$")
"""What an earlier evaluation added to a footnote."""

STANDARD = "autoattack (standard)"


def check(plan: Evaluation, models: int) -> None:
    """Raise UsageError for an evaluation that is not the one of RobustBench."""
    if models > 1:
        raise UsageError("takes one model", "robustbench")
    if plan.title != STANDARD:
        raise UsageError("reports the standard AutoAttack: take autoattack", "robustbench")
    if len(plan.stages) != 1 or plan.stages[0].ball.name not in NORMS:
        raise UsageError(f"is for one radius, in {listed(NORMS)}", "robustbench")


def model_info(report: Mapping[str, Any]) -> dict[str, Any]:
    """A report of `evaluate` as RobustBench has it; what only the authors know is None.

    Accuracies are percentages as text, rounded to two digits as RobustBench rounds them, the radius is text such as
    ``8/255``. Fewer images than RobustBench's, and data that are none of its, are said in the footnote.

    Raises
    ------
    AdvtoolError
        if the report is not of one radius under the standard AutoAttack, as of a model whose calls differ
    """
    entries = report["adversarial"]
    if len(entries) != 1 or entries[0]["ensemble"] != STANDARD or entries[0]["adv"] not in NORMS:
        raise AdvtoolError("RobustBench has models under the standard AutoAttack in linf or l2, none that is random")
    (entry,), data = entries, report["data"]
    found: dict[str, Any] = dict.fromkeys((*_PAPER, *_RESULTS))
    return {
        **found,
        "number_forward_passes": 1,
        "dataset": data["source"] if data["source"] in DATASETS else None,
        "architecture": report["checkpoint"]["arch"],
        "eps": text(entry["eps"]),
        "clean_acc": _percent(report["clean"]["accuracy"]),
        "autoattack_acc": _percent(entry["accuracy"]),
        "footnote": _footnote(Path(data["source"].rstrip("/")).name, data["n"]),
    }


def write(path: str | Path, report: Mapping[str, Any]) -> dict[str, Any]:
    """Write `model_info`; of a file that is there all but the results stays. Returns what was written.

    Raises
    ------
    AdvtoolError
        if the file that is there is no JSON object
    """
    found = {**(read(path) if Path(path).is_file() else {})}
    for name, value in model_info(report).items():
        if found.get(name) is None or name in _MEASURED:
            found[name] = value
        elif name == "footnote":
            theirs = _OURS.sub("", str(found[name])).strip()
            found[name] = " ".join(filter(None, (theirs, value))) or None
    with whole_file(path) as file:
        file.write((json.dumps(found, indent=2) + "\n").encode())
    return found


def read(path: str | Path) -> dict[str, Any]:
    """A ``model_info`` that is there; AdvtoolError if it is none."""
    try:
        data = Path(path).read_bytes()
        found = json.loads(data) if len(data) <= bounds.JSON_BYTES else None
    except OSError as error:
        raise AdvtoolError(f"{path}: cannot read ({error.strerror})") from None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise AdvtoolError(f"{path}: is there, and no JSON object of RobustBench's; name another file")
    return found


def unknown(found: Mapping[str, Any]) -> Sequence[str]:
    """What the authors still have to fill in."""
    return [name for name in (*_PAPER, "reported") if found.get(name) is None]


def _percent(accuracy: float) -> str:
    return str(round(100 * accuracy, 2))


def _footnote(source: str, n: int) -> str | None:
    """What sets this evaluation apart from RobustBench's."""
    if source not in DATASETS:
        return f"Evaluated on {n:,} images of {source}."
    return None if n == DATASETS[source] else f"Evaluated on {n:,} images instead of {DATASETS[source]:,}."
