"""What ``advtool theory mixture`` computes and shows."""

from collections.abc import Callable
from typing import cast

from advtool.cli.theory.mixture import Mixture
from advtool.commands.theory import render
from advtool.commands.theory.parameters import parameters
from advtool.commands.theory.render import Report
from advtool.commands.theory.run import Model, run_model
from advtool.theory.mixture.checks import claims
from advtool.theory.mixture.figure import figure
from advtool.theory.mixture.report import REPORTS

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


def run(options: Mixture) -> None:
    """Report on a case."""
    asked = parameters(options, case=None, norm="p")
    report = cast(Callable[..., Report], REPORTS[options.case])
    run_model(Model(report, claims, show, row, figure), options, asked)


def row(report: Report) -> tuple[str, ...]:
    return _PATHS[report["case"]]


def show(report: Report) -> None:
    """The quantities of a case."""
    paths = list(_PATHS[report["case"]])
    if report["case"] == "mixture":
        paths.insert(1, "bayes_risk")
    inputs = ", ".join(
        f"{name} = {render.number(value)}" for name, value in report["inputs"].items() if value is not None
    )
    render.facts(f"{report['case']}: {inputs}", [(_NAMES[path], render.cell(report, path)) for path in paths])
    render.check(report)
