"""What ``advtool theory gaussian`` computes and shows."""

from functools import partial

from advtool.cli import console
from advtool.cli.theory.gaussian import Gaussian
from advtool.commands.theory import render
from advtool.commands.theory.parameters import parameters
from advtool.commands.theory.render import Report
from advtool.commands.theory.run import Model, run_model
from advtool.theory.gaussian.checks import claims
from advtool.theory.gaussian.figure import figure
from advtool.theory.gaussian.report import report


def run(options: Gaussian) -> None:
    """Report on two Gaussians."""
    asked = parameters(options, norm="p", simulate="draws")
    run_model(Model(partial(report, seed=options.seed), claims, show, row, figure), options, asked)


def row(report: Report) -> tuple[str, ...]:
    trainings = [f"{name}.w" for name in ("standard", "adversarial", "randomized")]
    errors = [f"{name}.{kind}_error" for name in ("standard", "adversarial") for kind in ("standard", "adversarial")]
    return (*trainings, *errors, "bounds.gap")


def show(report: Report) -> None:
    """Table 1, then what belongs to it."""
    inputs = report["inputs"]
    title = f"σ1 = {inputs['sigma1']:g}, σ2 = {inputs['sigma2']:g}, distance {inputs['distance']:g}"
    title += f", ε_p = {report['eps_p']:g}"
    console.show_table(title, ["training", "w", "standard error", "adversarial error"], _trainings(report))
    for misprint in report["misprints"]:
        training, _, kind = misprint["where"].split(".")
        value = render.change(report["standard"][kind], report[training][kind])
        printed = f"{100 * misprint['printed']:+.2f}".replace("-", "−")
        what = f"the change of the {kind.replace('_', ' ')} by {training} training"
        console.line(f"the paper prints {printed} for {what}; it is {value} ({misprint['erratum']})")
    render.facts("bounds and equivalents", _facts(report))
    if report.get("hyperplane"):
        render.facts("the best robust hyperplane in d dimensions (G5)", _hyperplane(report["hyperplane"]))
    if "simulation" in report:
        _simulation(report["simulation"])
    render.check(report)


def _trainings(report: Report) -> list[list[str]]:
    inputs = report["inputs"]
    names = {
        "standard": "standard",
        "adversarial": f"adversarial, radius {inputs['radius']:g}",
        "randomized": f"randomised, noise {inputs['noise']:g} ({inputs['noise_kind']})",
    }
    rows = []
    for key, name in names.items():
        rows.append(_row_of(name, report[key]))
        if "change" in report[key]:
            kinds = ("standard_error", "adversarial_error")
            changes = [render.change(report["standard"][kind], report[key][kind]) for kind in kinds]
            rows.append(["  change", "", *changes])
    for entry in report["weighted"]:
        marks = [] if entry["unique"] or entry["w"] is None else ["not unique"]
        marks += ["outside [w*, w̃*]"] if entry["outside_interval"] and entry["w"] is not None else []
        rows.append(_row_of(f"weighted, λ = {render.number(entry['lam'])}{' ' * bool(marks)}{', '.join(marks)}", entry))
    return rows


def _row_of(name: str, entry: Report) -> list[str]:
    kinds = ("standard_error", "adversarial_error")
    place = "at infinity" if entry["w"] is None else f"{entry['w']:.7g}"
    return [name, place, *(render.probability(entry, kind) for kind in kinds)]


def _facts(report: Report) -> list[tuple[str, str]]:
    bounds, equivalents = report["bounds"], report["equivalents"]
    rows = [
        ("lower bound on |w̃* − w*|", bounds["lower"]),
        ("|w̃* − w*|", bounds["gap"]),
        ("upper bound", bounds["upper"]),
    ]
    if "upper_dim" in bounds:
        rows += [
            ("upper bound by √d ε (Theorem 3)", bounds["upper_dim"]),
            ("lower bound, mean over directions (Theorem 2)", bounds["average_lower"]),
            ("  the same with the exact mean of ε_∞ (G9)", bounds["average_lower_exact"]),
        ]
    rows += [
        ("λ equivalent to the noise", equivalents["lam_of_noise"]),
        ("noise equivalent to adversarial training", equivalents["noise_of_adversarial"]),
    ]
    return [(name, render.number(value)) for name, value in rows]


def _hyperplane(entry: Report) -> list[tuple[str, str]]:
    return [
        ("separation left by the attack", render.number(entry["separation"])),
        ("  parallel to the standard hyperplane", render.number(entry["separation_parallel"])),
        ("adversarial error", render.probability(entry, "adversarial_error")),
        ("  parallel to the standard hyperplane", render.probability(entry, "adversarial_error_parallel")),
        ("cosine of the normals", render.number(entry["cosine"])),
        ("normal", render.number(entry["normal"])),
    ]


def _simulation(rows: list[Report]) -> None:
    table = []
    for row in rows:
        for training in ("standard", "adversarial"):
            plug_in, empirical = row[training]["plug_in"], row[training]["empirical"]
            low, high = empirical["training_error_ci95"]
            cells = [render.number(entry[key]) for entry in (plug_in, empirical) for key in ("w", "gap")]
            error = f"{render.percent(empirical['training_error'])} ({100 * low:.3f}–{100 * high:.3f})"
            table.append([f"{row['n']:,}", training, *cells, error, render.percent(empirical["error"])])
    columns = [
        "draws per class",
        "training",
        "plug-in w",
        "off by",
        "empirical w",
        "off by",
        "training error (95%)",
        "error",
    ]
    console.show_table("finite samples", columns, table)
