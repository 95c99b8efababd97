"""What every model's command does: report each setting, check it, print and draw."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from advtool.cli import console, output
from advtool.cli.theory.groups import Theory
from advtool.commands.theory import render
from advtool.commands.theory.figures import sweep_figure
from advtool.commands.theory.parameters import Parameters
from advtool.commands.theory.render import Report
from advtool.errors import AdvtoolError, UsageError
from advtool.io.figures import write_figure
from advtool.theory.monte_carlo import FALSE_ALARM, Claim, check

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Model:
    """How to compute, sample, show and draw one model.

    Attributes
    ----------
    report : parameters → report
    claims : what of a report can be sampled
    show : a report as tables
    row : the columns of a report in a sweep's table, by dotted path; None: each report is shown in full
    figure : the paper's figure of a report
    """

    report: Callable[..., Report]
    claims: Callable[[Report], Sequence[Claim]]
    show: Callable[[Report], None]
    row: Callable[[Report], tuple[str, ...]] | None
    figure: Callable[[Report], "Figure"]


def run_model(model: Model, options: Theory, asked: Parameters) -> None:
    """Report every setting: a table at a terminal, else a line of JSON each."""
    if options.errata:
        _show_errata(options)
        return
    if options.plot:
        _check_plot(model, options.plot, asked)
    settings, as_json = list(asked.settings()), output.wants_json(options.json)
    reports: list[Report] = []
    warned: set[str] = set()
    for index, setting in enumerate(settings):
        report = _report(model, setting)
        if options.check:
            report["check"] = _check(model.claims(report), options, index, len(settings))
        if as_json:
            output.print_json(render.plain(report))
        reports.append(report)
        for warning in report["warnings"]:
            if warning not in warned:
                console.say(f"warning: {warning}")
            warned.add(warning)
    if not as_json:
        _show(model, reports, asked.several)
    if options.plot:
        _draw(model, reports, asked.several, options.plot)
    if options.check:
        _conclude([claim for report in reports for claim in report["check"]["claims"]], as_json or len(reports) > 1)


def _show_errata(options: Theory) -> None:
    """The errata of a model's paper, as a table or one line of JSON."""
    from advtool.theory.errata import ERRATA, PAPERS

    model = options.command.split()[-1]
    if output.wants_json(options.json):
        rows = [asdict(erratum) for erratum in ERRATA[model]]
        output.print_json({"schema": 1, "model": model, "paper": PAPERS[model], "errata": rows})
    else:
        render.errata(PAPERS[model], ERRATA[model])


def _report(model: Model, setting: dict[str, Any]) -> Report:
    """The report of a setting."""
    try:
        return model.report(**setting)
    except UsageError as error:
        raise _with_parameter(error) from None


def _with_parameter(error: UsageError) -> UsageError:
    """The error with the parameter that its text begins with set apart, as in ``sigma1 0: must be positive``."""
    start, _, rest = error.message.partition(": ")
    name, _, value = start.partition(" ")
    return UsageError(rest, name, value or None) if rest and name.isidentifier() and not error.parameter else error


def _check(claims: Sequence[Claim], options: Theory, index: int, settings: int) -> dict[str, Any]:
    found = check(claims, options.samples, options.seed + 1000003 * index, total=len(claims) * settings)
    return {
        "samples": options.samples,
        "seed": options.seed,
        "false_alarm": FALSE_ALARM,
        "agrees": not any(claim["agrees"] is False for claim in found),
        "claims": found,
    }


def _show(model: Model, reports: list[Report], several: list[str]) -> None:
    if len(reports) > 1 and model.row:
        render.sweep(reports, several, model.row(reports[0]))
    else:
        for report in reports:
            model.show(report)
    sys.stdout.flush()


def _check_plot(model: Model, path: str, asked: Parameters) -> None:
    output.check_figure(path)
    if asked.several and (len(asked.several) > 1 or model.row is None):
        raise UsageError("draws a sweep over one option", "plot")


def _draw(model: Model, reports: list[Report], several: list[str], path: str) -> None:
    """Write the figure of one report, or of a sweep."""
    if len(reports) == 1 or model.row is None:
        figure = model.figure(reports[0])
    else:
        figure = sweep_figure(reports, several[0], model.row(reports[0]))
    write_figure(figure, path)


def _conclude(claims: list[dict[str, Any]], summarise: bool) -> None:
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
