"""``advtool train --trials N``: the same training with several seeds, and how much its figures vary."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from advtool.cli import console, output
from advtool.commands.checkpoint_output import check_state
from advtool.distributed import processes
from advtool.errors import UsageError
from advtool.evaluation.statistics import spread
from advtool.io.atomic import is_special
from advtool.training.run import TrainingRun


def destinations(out: str | None, seeds: Sequence[int], force: bool, resume: bool) -> list[output.Destination | None]:
    """Where each seed's checkpoint goes: ``NAME-SEED.safetensors`` for ``-o NAME.safetensors``; None without -o."""
    if out is None:
        if resume:
            raise UsageError("needs -o FILE, beside which the states of the runs lie", "resume")
        return [None] * len(seeds)
    path = Path(out)
    if out == "-" or is_special(path):
        raise UsageError("--trials writes a file per trial; name one", "out", out)
    names = [str(path.with_name(f"{path.stem}-{seed}{path.suffix}")) for seed in seeds]
    places = [output.destination(name, "", "", force, may_replace=resume) for name in names]
    for place in places:
        check_state(place)
    return [*places]


def train_trials(
    first: TrainingRun,
    seeds: Sequence[int],
    places: Sequence[output.Destination | None],
    complete: Callable[[TrainingRun, output.Destination | None], dict],
    as_json: bool,
) -> None:
    """Train with each seed and report every trial, and mean and standard deviation over them.

    Parameters
    ----------
    first : the run with the first seed; the others use its data
    complete : trains, writes, and returns metrics on the test split, empty where there is none
    """
    trials = []
    for number, (seed, place) in enumerate(zip(seeds, places, strict=True), 1):
        console.say(f"trial {number} of {len(seeds)}, seed {seed}")
        run = first.with_seed(seed)
        metrics = complete(run, place)
        last = run.history[-1] if run.history else {}
        named = {"checkpoint": {"path": place.name}} if place else {}
        trials.append({"seed": seed, **named, "selected": run.selected, "training": last, **metrics})
    if not processes().is_first:
        return
    report = {"schema": 1, "command": "train", "trials": trials, **_summary(trials)}
    if as_json:
        output.print_json(report)
    else:
        _show(report, f"{first.model.spec.arch} on {first.source.name}, {len(seeds)} trials")


def _summary(trials: Sequence[dict]) -> dict:
    """Mean and standard deviation of what all trials measured, in the places where a single run has the figure."""
    fields = ("loss", "clean_accuracy", "adversarial_accuracy")
    last = [trial["training"] for trial in trials]
    measured = {name: _over(last, name) for name in fields if all(name in record for record in last)}
    found: dict[str, Any] = {"training": measured}
    if all("clean" in trial for trial in trials):
        clean = [trial["clean"] for trial in trials]
        found["clean"] = {"accuracy": _over(clean, "accuracy"), "n": clean[0]["n"]}
        found["adversarial"] = [
            _adversarial(entries) for entries in zip(*(t["adversarial"] for t in trials), strict=True)
        ]
    if all("union" in trial for trial in trials):
        found["union"] = {"accuracy": _over([trial["union"] for trial in trials], "accuracy")}
    return found


def _adversarial(entries: Sequence[dict]) -> dict:
    settings = {name: entries[0][name] for name in ("adv", "eps", "attack", "steps", "step_size", "n")}
    risks = [entry["risk"] for entry in entries]
    risk = {name: _over(risks, name) for name in ("classification", "adversarial", "joint")}
    return settings | {"accuracy": _over(entries, "accuracy"), "risk": risk}


def _over(records: Sequence[dict], name: str) -> dict:
    return spread([record[name] for record in records])


def _show(report: dict, title: str) -> None:
    figures = [(f"training, {name.replace('_', ' ')}", value) for name, value in report["training"].items()]
    if "clean" in report:
        figures.append(("test, clean accuracy", report["clean"]["accuracy"]))
    for entry in report.get("adversarial", []):
        threat = f"{entry['adv']} {entry['eps']:.4g}, PGD-{entry['steps']}"
        figures.append((f"test, {threat}, accuracy", entry["accuracy"]))
        figures += [(f"test, {threat}, {name} risk", entry["risk"][name]) for name in ("classification", "adversarial")]
    if "union" in report:
        figures.append(("test, under all, accuracy", report["union"]["accuracy"]))
    rows = [[name, f"{value['mean']:.4f}", f"{value['sd']:.4f}"] for name, value in figures]
    console.show_table(title, ["figure", "mean", "sd"], rows)
