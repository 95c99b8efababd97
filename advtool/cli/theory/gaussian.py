"""``advtool theory gaussian``."""

from typing import Annotated

import typer

from advtool.cli import console, options
from advtool.cli.theory import options as shared
from advtool.cli.theory import render, values
from advtool.cli.theory.run import Model, Output, run, show_errata
from advtool.errors import UsageError

_SWEPT = ("sigma1", "sigma2", "dim", "distance", "eps", "ratio", "eps_p", "radius", "noise")


def gaussian(
    sigma1: Annotated[str | None, shared.sweepable("--sigma1", "S", "Width of class 1. Default: 3.")] = None,
    sigma2: Annotated[str | None, shared.sweepable("--sigma2", "S", "Width of class 2. Default: 6.")] = None,
    dim: Annotated[str | None, shared.sweepable("--dim", "D", "Dimension. Default: 784.")] = None,
    distance: Annotated[
        str | None, shared.sweepable("--distance", "H", "Distance of the class means. Default: the root of --dim, 28.")
    ] = None,
    norm: shared.Norm = "linf",
    eps: Annotated[str | None, shared.sweepable("--eps", "E", "Radius of the attack. Default: 0.5.")] = None,
    ratio: Annotated[
        str | None,
        shared.sweepable(
            "--ratio", "R", "eps_p over the largest that the norm allows. Default: 0.5 for linf, 1 for l2."
        ),
    ] = None,
    eps_p: Annotated[
        str | None,
        shared.sweepable(
            "--eps-p", "E", "How far the attack moves a class along the axis. Default: by --eps, --ratio."
        ),
    ] = None,
    radius: Annotated[
        str | None, shared.sweepable("--radius", "R", "eps_p of adversarial training. Default: that of the attack.")
    ] = None,
    noise: Annotated[
        str | None, shared.sweepable("--noise", "N", "Noise of data-randomised training. Default: eps_p/2, 3.5.")
    ] = None,
    noise_kind: Annotated[
        str,
        typer.Option(
            "--noise-kind",
            metavar="sd|variance|covariance",
            help="What the noise is added to: the standard deviations (as the paper computes), or the variances as its"
            " square or as it is. Default: sd.",
        ),
    ] = "sd",
    lam: Annotated[
        str, typer.Option("--lam", metavar="L,…", help="Weights of adversarial error. Default: 0,0.25,1,inf.")
    ] = "0,0.25,1,inf",
    delta: Annotated[
        str | None,
        typer.Option(
            "--delta",
            metavar="FILE",
            help="Difference of the means, as .npy, JSON list or text; adds the best hyperplane. Default: none.",
        ),
    ] = None,
    simulate: Annotated[
        int,
        typer.Option(
            "--simulate", metavar="N", min=0, max=10**8, help="Also learn from up to N draws a class. Default: 0."
        ),
    ] = 0,
    check: shared.Check = False,
    samples: shared.Samples = 400_000,
    errata: shared.Errata = False,
    plot: shared.Plot = None,
    seed: options.Seed = 0,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Two Gaussians of different widths: the trade-off between accuracy and robustness.

    Standard, adversarial and data-randomised training, bounds on their distance, and all that lies between. Without
    options it prints Table 1 of the paper, and where the paper misprints it. --plot draws its Figures 1 and 2.
    """
    console.set_level(quiet, verbose)
    if errata:
        return show_errata("gaussian", json)
    given = {"sigma1": sigma1, "sigma2": sigma2, "dim": dim, "distance": distance, "eps": eps, "ratio": ratio}
    given |= {"eps_p": eps_p, "radius": radius, "noise": noise}
    swept = {name: values.sweep(given[name], f"--{name.replace('_', '-')}", name == "dim") for name in _SWEPT}
    if eps_p is not None and (eps is not None or ratio is not None or delta is not None):
        raise UsageError("--eps-p stands for --eps with --ratio or --delta: give one or the other")
    if delta is not None and (dim or distance or ratio):
        raise UsageError("--delta gives --dim, --distance and --ratio: leave them out")

    from advtool.theory.gaussian.checks import claims
    from advtool.theory.gaussian.figure import figure
    from advtool.theory.gaussian.report import report

    fixed = {
        "p": values.exponent(norm),
        "noise_kind": noise_kind,
        "lam": values.lams(lam),
        "draws": simulate,
        "seed": seed,
    }
    fixed["delta"] = None if delta is None else values.file_vector(delta, "--delta")
    model = Model("gaussian", report, claims, show, _row, figure)
    settings = values.grid(swept, **fixed)
    several = [name for name, found in swept.items() if found and len(found) > 1]
    run(model, settings, several, Output(json, check, samples, plot, seed))


def _row(report: dict) -> tuple[str, ...]:
    trainings = [f"{name}.w" for name in ("standard", "adversarial", "randomized")]
    errors = [f"{name}.{kind}_error" for name in ("standard", "adversarial") for kind in ("standard", "adversarial")]
    return (*trainings, *errors, "bounds.gap")


def show(report: dict) -> None:
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
        print(f"the paper prints {printed} for {what}; it is {value} ({misprint['erratum']})")
    render.facts("bounds and equivalents", _facts(report))
    if report.get("hyperplane"):
        render.facts("the best robust hyperplane in d dimensions (G5)", _hyperplane(report["hyperplane"]))
    if "simulation" in report:
        _simulation(report["simulation"])
    render.check(report)


def _trainings(report: dict) -> list[list[str]]:
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


def _row_of(name: str, entry: dict) -> list[str]:
    kinds = ("standard_error", "adversarial_error")
    place = "at infinity" if entry["w"] is None else f"{entry['w']:.7g}"
    return [name, place, *(render.probability(entry, kind) for kind in kinds)]


def _facts(report: dict) -> list[tuple[str, str]]:
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


def _hyperplane(entry: dict) -> list[tuple[str, str]]:
    return [
        ("separation left by the attack", render.number(entry["separation"])),
        ("  parallel to the standard hyperplane", render.number(entry["separation_parallel"])),
        ("adversarial error", render.probability(entry, "adversarial_error")),
        ("  parallel to the standard hyperplane", render.probability(entry, "adversarial_error_parallel")),
        ("cosine of the normals", render.number(entry["cosine"])),
        ("normal", render.number(entry["normal"])),
    ]


def _simulation(rows: list[dict]) -> None:
    table = []
    for row in rows:
        for training in ("standard", "adversarial"):
            plug_in, empirical = row[training]["plug_in"], row[training]["empirical"]
            low, high = empirical["training_error_ci95"]
            cells = [render.number(entry[key]) for entry in (plug_in, empirical) for key in ("w", "gap")]
            error = f"{render.percent(empirical['training_error'])} ({100 * low:.3f}–{100 * high:.3f})"
            table.append([f"{row['n']:,}", training, *cells, error, render.percent(empirical["error"])])
    columns = [
        "draws a class",
        "training",
        "plug-in w",
        "off by",
        "empirical w",
        "off by",
        "training error (95%)",
        "error",
    ]
    console.show_table("finite samples", columns, table)
