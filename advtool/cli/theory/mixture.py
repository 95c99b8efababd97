"""``advtool theory mixture``."""

from typing import Annotated

import typer

from advtool.cli import console, options, parse
from advtool.cli.theory import options as shared
from advtool.cli.theory import render, values
from advtool.cli.theory.run import Model, Output, run, show_errata
from advtool.errors import UsageError

# what each case takes: swept options, then vectors
_TAKES = {
    "mixture": (("sigma", "eps"), ("theta", "w", "norm")),
    "corollary2": (("dim", "sigma", "eps"), ()),
    "corollary3": (("theta_squared", "free", "sigma", "eps"), ()),
    "corollary4": (("free", "sigma", "eps"), ("theta",)),
    "squares": (("eps", "lam"), ()),
    "theorem7": (("bias", "eps"), ("w",)),
}


def mixture(
    case: Annotated[
        str,
        typer.Option(
            "--case",
            metavar="mixture|corollary2|corollary3|corollary4|squares|theorem7",
            help="What to compute: risks of a classifier, a corollary, two squares (Figure 2a), or Theorem 7. Default:"
            " mixture.",
        ),
    ] = "mixture",
    theta: Annotated[
        str | None,
        typer.Option("--theta", metavar="T,…|FILE", help="Mean of class 1. Default: 2,0; of corollary4 2."),
    ] = None,
    w: Annotated[
        str | None, typer.Option("--w", metavar="W,…|FILE", help="The classifier. Default: 1,1; of theorem7 2,0.5.")
    ] = None,
    sigma: Annotated[str | None, shared.sweepable("--sigma", "S", "Width of the classes. Default: 1.")] = None,
    eps: Annotated[
        str | None,
        shared.sweepable("--eps", "E", "Radius of the attack. Default: 0.5, or what the corollary is about."),
    ] = None,
    norm: Annotated[
        str | None,
        typer.Option("--norm", metavar="linf|l2|l1|lP", help="Norm of the attack, for mixture. Default: linf."),
    ] = None,
    dim: Annotated[str | None, shared.sweepable("--dim", "P", "Dimension, for corollary2. Default: 101.")] = None,
    theta_squared: Annotated[
        str | None, shared.sweepable("--theta-squared", "T", "Squared norm of theta, for corollary3. Default: 2+2√2.")
    ] = None,
    free: Annotated[
        str | None,
        shared.sweepable("--free", "M", "Dimensions off theta's support, for corollary3 and 4. Default: 10000."),
    ] = None,
    lam: Annotated[
        str | None, shared.sweepable("--lam", "L", "Weight of adversarial risk, for squares. Default: 1.")
    ] = None,
    bias: Annotated[
        str | None, shared.sweepable("--bias", "B", "Constant of the classifier, for theorem7. Default: 0.1.")
    ] = None,
    check: shared.Check = False,
    samples: shared.Samples = 400_000,
    errata: shared.Errata = False,
    plot: shared.Plot = None,
    seed: options.Seed = 0,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Gaussian mixtures and two squares: classification risk against adversarial risk, exactly.

    R, G_adv (every perturbation counts), R_adv (only those that the Bayes classifier does not follow), and the paper's
    bound on it beside the repaired one. --plot draws the risks against eps; with --case squares that is Figure 2a.
    """
    console.set_level(quiet, verbose)
    if errata:
        return show_errata("mixture", json)
    parse.choice(case, "--case", tuple(_TAKES))
    given = {"theta": theta, "w": w, "sigma": sigma, "eps": eps, "norm": norm, "dim": dim}
    given |= {"theta_squared": theta_squared, "free": free, "lam": lam, "bias": bias}
    _refuse_others(case, given)
    swept = {
        name: values.sweep(given[name], f"--{name.replace('_', '-')}", name in ("dim", "free"))
        for name in _TAKES[case][0]
    }
    fixed = {name: values.vector(given[name], f"--{name}") for name in _TAKES[case][1] if name != "norm"}
    if norm is not None:
        fixed["p"] = values.exponent(norm)

    from advtool.theory.mixture.checks import claims
    from advtool.theory.mixture.figure import figure
    from advtool.theory.mixture.report import REPORTS

    several = [name for name, found in swept.items() if found and len(found) > 1]
    model = Model("mixture", REPORTS[case], claims, show, _row, figure)
    run(model, values.grid(swept, **fixed), several, Output(json, check, samples, plot, seed))


def _refuse_others(case: str, given: dict) -> None:
    takes = _TAKES[case][0] + _TAKES[case][1]
    if extra := [
        f"--{name.replace('_', '-')}" for name, value in given.items() if value is not None and name not in takes
    ]:
        raise UsageError(f"{', '.join(extra)}: not for --case {case}")


_PATHS = {
    "mixture": ("risk", "adversarial_risk_total", "adversarial_risk", "bound3", "repaired_bound"),
    "corollary2": (
        "critical_eps",
        "bayes.adversarial_risk_total",
        "first_coordinate.adversarial_risk_total",
        "claim_holds",
    ),
    "corollary3": ("excess_risk", "adversarial_risk", "claim_holds"),
    "corollary4": (
        "printed_start.alpha_l1",
        "printed_start.adversarial_risk",
        "repaired_start.alpha_l1",
        "repaired_start.adversarial_risk",
        "repaired_start_at_theta.adversarial_risk",
    ),
    "squares": ("threshold", "risk", "risk_highest", "adversarial_risk_total", "objective"),
    "theorem7": ("adversarial_loss", "first_order", "upper_bound", "coefficient"),
}
_NAMES = {
    "risk": "classification risk R",
    "bayes_risk": "risk of the Bayes classifier",
    "adversarial_risk_total": "adversarial risk G_adv, every perturbation",
    "adversarial_risk": "adversarial risk R_adv, exact",
    "bound3": "bound (3) on R_adv, false in general (X1)",
    "repaired_bound": "repaired bound on R_adv",
    "critical_eps": "critical ε (X2)",
    "bayes.adversarial_risk_total": "G_adv of the Bayes classifier",
    "first_coordinate.adversarial_risk_total": "G_adv of sign(x_1)",
    "claim_holds": "the claim holds",
    "excess_risk": "excess risk",
    "printed_start.alpha_l1": "‖α‖₁, start with variance 1/√(p − s), as printed",
    "printed_start.adversarial_risk": "  R_adv",
    "repaired_start.alpha_l1": "‖α‖₁, start with variance 1/(p − s)",
    "repaired_start.adversarial_risk": "  R_adv",
    "repaired_start_at_theta.adversarial_risk": "  R_adv if descent ended at w = θ",
    "threshold": "threshold on x_1",
    "risk_highest": "  R of the worst of equal minima",
    "objective": "objective R + λ(G − R)",
    "adversarial_loss": "R_adv of the logistic loss, exact",
    "first_order": "  first order in ε",
    "upper_bound": "  upper bound ε‖w‖₁",
    "coefficient": "coefficient of ε",
}


def _row(report: dict) -> tuple[str, ...]:
    return _PATHS[report["case"]]


def show(report: dict) -> None:
    """The quantities of a case."""
    paths = list(_PATHS[report["case"]])
    if report["case"] == "mixture":
        paths.insert(1, "bayes_risk")
    inputs = ", ".join(
        f"{name} = {render.number(value)}" for name, value in report["inputs"].items() if value is not None
    )
    render.facts(f"{report['case']}: {inputs}", [(_NAMES[path], render.cell(report, path)) for path in paths])
    render.check(report)
