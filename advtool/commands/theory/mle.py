"""What ``advtool theory mle`` computes and shows."""

from advtool.cli.theory.mle import Mle
from advtool.commands.theory import render
from advtool.commands.theory.parameters import Parameters, parameters
from advtool.commands.theory.render import Report
from advtool.commands.theory.run import Model, run_model
from advtool.errors import UsageError
from advtool.theory.mle.checks import claims
from advtool.theory.mle.figure import figure
from advtool.theory.mle.report import report

_KINDS = ("standard", "robust")


def run(options: Mle) -> None:
    """Report on maximum likelihood."""
    asked = parameters(options, dim=None)
    if options.dim:
        asked.fixed["variances"] = _repeated(options)
    if options.plot:
        _check_drawable(asked)
    run_model(Model(report, claims, show, row, figure), options, asked)


def _repeated(options: Mle) -> tuple[float, ...]:
    if len(options.variances) != 1:
        raise UsageError(f"repeats one number, and --variances holds {len(options.variances)}", "dim")
    return options.variances * options.dim


def _check_drawable(asked: Parameters) -> None:
    if not asked.several and len(asked.fixed.get("variances", (1, 100))) != 2:
        raise UsageError("the picture is of two variances, such as --variances 1,100", "plot")


def row(report: Report) -> tuple[str, ...]:
    few = len(report["robust_covariance"]) <= 3
    learned = [f"robust_covariance.{i}" for i in range(len(report["robust_covariance"]))] if few else []
    excess = ("excess_loss",) if "excess_loss" in report else ()
    return ("lam", *learned, "condition_robust", "alignment_standard", "alignment_robust", *excess)


def show(report: Report) -> None:
    """What is learned, then what follows from it."""
    inputs, bounds = report["inputs"], report["lam_bounds"]
    rows = [
        ("variances", render.number(inputs["variances"])),
        ("robust covariance", render.number(report["robust_covariance"])),
        ("λ", render.number(report["lam"])),
        ("  from, to", f"{render.number(bounds['lower'])}, {render.number(bounds['upper'])}"),
        ("  to, by the paper", render.number(bounds["upper_paper"])),
        ("condition number, standard", render.number(report["condition_standard"])),
        ("condition number, robust", render.number(report["condition_robust"])),
    ]
    which = "at standard's worst μ" if inputs["mu"] is None else "at --mu"
    rows += [
        (f"alignment of the gradient, {kind}, {which}", render.number(report[f"alignment_{kind}"])) for kind in _KINDS
    ]
    rows += [
        (f"alignment of the gradient, {kind}, worst over μ", render.number(report[f"worst_alignment_{kind}"]))
        for kind in _KINDS
    ]
    if "excess_loss" in report:
        rows.append(
            (f"excess loss, C = {inputs['penalty']:g} ({inputs['convention']})", render.number(report["excess_loss"]))
        )
    if "perturbation" in report:
        entry = report["perturbation"]
        rows += [
            ("worst perturbation", render.number(entry["delta"])),
            ("  loss before, after", f"{render.number(entry['loss'])}, {render.number(entry['loss_perturbed'])}"),
        ]
    render.facts(f"maximum likelihood in {len(inputs['variances']):,} dimensions, l2 ε = {inputs['eps']:g}", rows)
    render.check(report)
