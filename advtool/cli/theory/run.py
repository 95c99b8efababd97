"""What every model's command does: report each setting, check it, print and draw."""

import math
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from advtool.cli import console, output
from advtool.cli.theory import render
from advtool.errors import AdvtoolError, UsageError


@dataclass(frozen=True)
class Model:
    """How to compute, sample, show and draw one model.

    `row` gives the columns of a report in a sweep's table, by dotted path (None: show each report in full); `figure`
    draws the paper's figure.
    """

    name: str
    report: Callable[..., dict]
    claims: Callable[[dict], list]
    show: Callable[[dict], None]
    row: Callable[[dict], tuple[str, ...]] | None
    figure: Callable[[dict], object]


@dataclass(frozen=True)
class Output:
    """The shared options."""

    json: bool
    check: bool
    samples: int
    plot: str | None
    seed: int


def show_errata(model: str, as_json: bool) -> None:
    """The errata of a model's paper, as a table or one line of JSON."""
    from dataclasses import asdict

    from advtool.theory.errata import ERRATA, PAPERS

    if output.wants_json(as_json):
        rows = [asdict(erratum) for erratum in ERRATA[model]]
        output.print_json({"schema": 1, "model": model, "paper": PAPERS[model], "errata": rows})
    else:
        render.errata(PAPERS[model], ERRATA[model])


def run(model: Model, settings: Iterable[dict], swept: list[str], wanted: Output) -> None:
    """Report every setting: a table at a terminal, else a line of JSON each."""
    console.interruptible()
    if wanted.plot:
        if Path(wanted.plot).suffix not in (".png", ".pdf", ".svg"):
            raise UsageError(f"--plot {wanted.plot}: must end in .png, .pdf or .svg")
        output.check_directory(Path(wanted.plot).parent)
    settings, as_json, reports = list(settings), output.wants_json(wanted.json), []
    warned: set[str] = set()
    for index, setting in enumerate(settings):
        report = _report(model, setting)
        if wanted.check:
            report["check"] = _check(model, report, wanted, index, len(settings))
        if as_json:
            output.print_json(render.plain(report))
        reports.append(report)
        for warning in report["warnings"]:
            if warning not in warned:
                console.say(f"warning: {warning}")
            warned.add(warning)
    if not as_json:
        if len(reports) > 1 and model.row:
            render.sweep(reports, swept, model.row(reports[0]))
        else:
            for report in reports:
                model.show(report)
        sys.stdout.flush()
    if wanted.plot:
        draw(model, reports, swept, wanted.plot)
    if wanted.check:
        _conclude([claim for report in reports for claim in report["check"]["claims"]], as_json or len(reports) > 1)


def _report(model: Model, setting: dict) -> dict:
    """The report of a setting; what it complains about is named as on the command line."""
    try:
        return model.report(**setting)
    except UsageError as error:
        name, _, rest = str(error).partition(":")
        option = name.split(" ")[0]
        known = option.isidentifier() and rest
        raise UsageError(f"--{option.replace('_', '-')}{name[len(option) :]}:{rest}" if known else str(error)) from None


def _check(model: Model, report: dict, wanted: Output, index: int, settings: int) -> dict:
    from advtool.theory.monte_carlo import FALSE_ALARM, check

    claims = model.claims(report)
    found = check(claims, wanted.samples, wanted.seed + 1000003 * index, total=len(claims) * settings)
    agrees = not any(claim["agrees"] is False for claim in found)
    return {
        "samples": wanted.samples,
        "seed": wanted.seed,
        "false_alarm": FALSE_ALARM,
        "agrees": agrees,
        "claims": found,
    }


def _conclude(claims: list[dict], summarise: bool) -> None:
    wrong = [claim["name"] for claim in claims if claim["agrees"] is False]
    unchecked = [claim["name"] for claim in claims if claim["agrees"] is None]
    if wrong:
        raise AdvtoolError(
            f"check: {len(wrong)} of {len(claims)} numbers disagree with sampling: {', '.join(wrong[:5])}"
        )
    if unchecked:
        names = ", ".join(unchecked[:5])
        console.say(f"check: {len(unchecked)} of {len(claims)} are too rare to be sampled and stay unchecked: {names}")
    if not claims:
        console.say("check: there is nothing to sample here")
    elif summarise:
        console.say(f"check: {len(claims) - len(unchecked)} of {len(claims)} numbers agree with sampling")


def draw(model: Model, reports: list[dict], swept: list[str], path: str) -> None:
    """Write the figure of one report, or of a sweep."""
    from advtool.io.atomic import whole_file

    figure = model.figure(reports[0]) if len(reports) == 1 else _sweep_figure(model, reports, swept)
    kind = Path(path).suffix.lstrip(".")
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind, {})
    with whole_file(path) as file:
        figure.savefig(file, format=kind, dpi=150, metadata=metadata)


def _sweep_figure(model: Model, reports: list[dict], swept: list[str]):
    from matplotlib.figure import Figure

    if len(swept) != 1 or model.row is None:
        raise UsageError("--plot: draws a sweep over one option")
    x = [report["inputs"][swept[0]] for report in reports]
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.add_subplot()
    for path in model.row(reports[0]):
        values = [render.at(report, path) for report in reports]
        if any(isinstance(value, float) and 0 <= value <= 1 for value in values):
            axes.plot(x, [math.nan if value is None else value for value in values], ".-", label=path)
    axes.set_xlabel(swept[0])
    axes.set_ylabel("probability")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return figure
