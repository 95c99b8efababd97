"""``advtool theory bernoulli``."""

from typing import Annotated

import typer

from advtool.cli import console, options
from advtool.cli.theory import options as shared
from advtool.cli.theory import render, values
from advtool.cli.theory.run import Model, Output, run, show_errata
from advtool.errors import UsageError

_SWEPT = ("dim", "tau_max", "eps", "n", "mix")


def bernoulli(
    dim: Annotated[str | None, shared.sweepable("--dim", "D", "Number of features. Default: 100.")] = None,
    tau_max: Annotated[
        str | None, shared.sweepable("--tau-max", "T", "tau runs evenly from 0 to this. Default: 0.25.")
    ] = None,
    tau: Annotated[
        str | None,
        typer.Option(
            "--tau", metavar="T,…|FILE", help="Biases of the features, each from 0 to 0.5. Default: --tau-max."
        ),
    ] = None,
    eps: Annotated[
        str | None, shared.sweepable("--eps", "E", "linf radius of the attack. Default: 0.5; with --table 0.1 to 0.5.")
    ] = None,
    n: Annotated[str | None, shared.sweepable("-n", "N", "Training samples. Default: 10000.")] = None,
    mix: Annotated[
        str | None, shared.sweepable("--mix", "P", "Fraction of attacked steps in robust training. Default: 0.5.")
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            "--weights",
            metavar="W,…|FILE",
            help="A classifier (signed by theta) whose errors to show too. Default: none.",
        ),
    ] = None,
    table: Annotated[
        bool, typer.Option("--table", help="Train by the paper's recipe and print its Table 1. Default: off.")
    ] = False,
    seeds: Annotated[int, typer.Option("--seeds", metavar="K", min=1, help="Runs for --table. Default: 10.")] = 10,
    check: shared.Check = False,
    samples: shared.Samples = 400_000,
    errata: shared.Errata = False,
    plot: shared.Plot = None,
    seed: options.Seed = 0,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """The modified Bernoulli model: why robust training drops weak features, and exactly which.

    Theorem 1 and its repaired form, exact errors, and the threshold tau* below which robust training gives a feature no
    weight. --plot draws Figure 2 with tau* on it; --table trains for Table 1 (under a minute).
    """
    console.set_level(quiet, verbose)
    if errata:
        return show_errata("bernoulli", json)
    given = {"dim": dim, "tau_max": tau_max, "eps": eps, "n": n, "mix": mix}
    names = {name: "-n" if name == "n" else f"--{name.replace('_', '-')}" for name in _SWEPT}
    swept = {name: values.sweep(given[name], names[name], name in ("dim", "n")) for name in _SWEPT}
    if tau is not None and (dim or tau_max):
        raise UsageError("--tau gives --dim and --tau-max: leave them out")

    from advtool.theory.bernoulli.checks import claims
    from advtool.theory.bernoulli.figure import figure
    from advtool.theory.bernoulli.report import report, table_report

    fixed = {"tau": values.vector(tau, "--tau"), "weights": values.vector(weights, "--weights")}
    several = [name for name, found in swept.items() if found and len(found) > 1]
    wanted = Output(json, check, samples, plot, seed)
    if not table:
        run(Model("bernoulli", report, claims, show, _row, figure), values.grid(swept, **fixed), several, wanted)
        return
    if weights or mix or check:
        raise UsageError("--table goes without --weights, --mix and --check")
    radii = swept.pop("eps")  # the rows of the table, not a sweep
    settings = values.grid(swept, tau=fixed["tau"], eps=radii, seeds=seeds, seed=seed)
    run(Model("bernoulli", table_report, claims, _show_table, None, figure), settings, several, wanted)


def _row(report: dict) -> tuple[str, ...]:
    classifiers = [name for name in ("averaged", "equal", "weights", "robust") if name in report["errors"]]
    errors = [f"errors.{name}.{kind}_error" for name in classifiers for kind in ("standard", "adversarial")]
    return ("threshold", "features_kept", *errors, "repaired.bound", "repaired.probability")


def show(report: dict) -> None:
    """Errors of classifiers, then the theorem and the threshold."""
    inputs = report["inputs"]
    title = f"{inputs['dim']:,} features, τ up to {inputs['tau_max']:g}, ε = {inputs['eps']:g}"
    names = {
        "averaged": "averaged, w ∝ τθ",
        "equal": "equal weights",
        "weights": "--weights",
        "robust": "robust training, infinite data",
    }
    rows = []
    for name, entry in report["errors"].items():
        errors = [render.probability(entry, f"{kind}_error") for kind in ("standard", "adversarial")]
        rows.append([names[name], *errors, _method(entry)])
    console.show_table(title, ["classifier", "standard error", "adversarial error", "method"], rows)
    share = f"{inputs['mix']:g} of the steps attacked"
    facts = [
        (f"threshold τ*, {share}", render.number(report["threshold"])),
        ("threshold τ*, all steps attacked (ε/2)", render.number(report["threshold_of_robust_training"])),
        ("features that keep a weight", f"{report['features_kept']:,} of {inputs['dim']:,}"),
    ]
    for key, name in (("theorem1", "Theorem 1"), ("repaired", "repaired Theorem 1")):
        bound, log_failure = render.number(report[key]["bound"]), render.percent(report[key]["probability"])
        facts.append((f"{name}, n = {inputs['n']:,}", f"error ≤ {bound} with probability ≥ {log_failure}"))
    render.facts("threshold and bounds", facts)
    render.check(report)


def _method(entry: dict) -> str:
    methods = dict.fromkeys(entry[f"{kind}_error_method"] for kind in ("standard", "adversarial"))
    notes = {"bracket": "within a bracket (see --json)", "clt": "approximate (normal)"}
    return ", ".join(notes.get(method, f"exact, {method}") for method in methods)


def _show_table(report: dict) -> None:
    inputs = report["inputs"]
    title = f"Table 1: {inputs['dim']:,} features, τ up to {inputs['tau_max']:g}, {inputs['n']:,} samples, "
    title += f"{inputs['seeds']} seeds; accuracies in %, mean ± sd, in brackets what the paper prints"
    columns = ["ε", "standard, clean", "standard, attacked", "robust, clean", "robust, attacked"]
    keys = ("standard_standard", "standard_robust", "robust_standard", "robust_robust")
    rows = []
    for row in report["table"]:
        printed = row.get("printed", {})
        rows.append([f"{row['eps']:g}", *(_accuracy(row.get(key), printed.get(key)) for key in keys)])
    console.show_table(title, columns, rows)
    print("the paper prints 98.9% for standard training, clean, and 0.08% and 0.01% for 8% and 1% (B1, B2)")


def _accuracy(entry: dict | None, printed: float | None) -> str:
    if entry is None:
        return ""
    spread = "" if entry["sd"] is None else f" ± {100 * entry['sd']:.2f}"
    return f"{100 * entry['mean']:.2f}{spread}" + ("" if printed is None else f" [{100 * printed:.4g}]")
