"""``advtool theory tradeoff``."""

from typing import Annotated

import typer

from advtool.cli import console, options
from advtool.cli.theory import options as shared
from advtool.cli.theory import render, values
from advtool.cli.theory.run import Model, Output, run, show_errata

_SWEPT = ("dim", "eta", "p", "eps", "train_eps", "lam", "t")


def tradeoff(
    dim: Annotated[str | None, shared.sweepable("--dim", "D", "Number of weak features. Default: 10000.")] = None,
    eta: Annotated[str | None, shared.sweepable("--eta", "H", "Mean of the weak features. Default: 4/√dim.")] = None,
    p: Annotated[
        str | None, shared.sweepable("--p", "P", "How often the strong feature is right, from 0.5. Default: 0.7.")
    ] = None,
    eps: Annotated[str | None, shared.sweepable("--eps", "E", "linf radius of the attack. Default: 2 eta.")] = None,
    train_eps: Annotated[
        str | None, shared.sweepable("--train-eps", "E", "Radius in adversarial training. Default: --eps.")
    ] = None,
    lam: Annotated[
        str | None,
        shared.sweepable(
            "--lam", "L", "Penalty of the SVM, L/2 times the squared norm. Default: weights of unit norm."
        ),
    ] = None,
    t: Annotated[
        str | None, shared.sweepable("--t", "T", "Also the rule sign(T x_1 + z), z the weak features. Default: none.")
    ] = None,
    all_linear: Annotated[
        bool, typer.Option("--all-linear", help="Let the curve use fewer weak features too. Default: equal weights.")
    ] = False,
    check: shared.Check = False,
    samples: shared.Samples = 400_000,
    errata: shared.Errata = False,
    plot: shared.Plot = None,
    seed: options.Seed = 0,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """One strong and many weak features: what accuracy costs in robustness.

    f_avg, the bound of Theorem 2.1, soft-margin SVMs trained plainly and adversarially (Theorem 2.2, where it holds),
    and the best trade-off of linear rules, which --plot draws.
    """
    console.set_level(quiet, verbose)
    if errata:
        return show_errata("tradeoff", json)
    given = {"dim": dim, "eta": eta, "p": p, "eps": eps, "train_eps": train_eps, "lam": lam, "t": t}
    swept = {name: values.sweep(given[name], f"--{name.replace('_', '-')}", name == "dim") for name in _SWEPT}

    from advtool.theory.tradeoff.checks import claims
    from advtool.theory.tradeoff.figure import figure
    from advtool.theory.tradeoff.report import report

    several = [name for name, found in swept.items() if found and len(found) > 1]
    settings = values.grid(swept, all_linear=all_linear)
    run(
        Model("tradeoff", report, claims, show, _row, figure),
        settings,
        several,
        Output(json, check, samples, plot, seed),
    )


def _row(report: dict) -> tuple[str, ...]:
    rules = [name for name in ("average", "rule", "svm_standard", "svm_adversarial", "best_linear") if name in report]
    paths = [f"{name}.{kind}_accuracy" for name in rules for kind in ("standard", "adversarial")]
    return (*paths, "svm_adversarial.w1", "theorem_2_2_holds")


def show(report: dict) -> None:
    """Accuracies of every rule, with the bound that no classifier escapes."""
    inputs = report["inputs"]
    title = f"d = {inputs['dim']:,}, η = {inputs['eta']:g}, p = {inputs['p']:g}, ε = {inputs['eps']:g}"
    names = {
        "average": "f_avg, weak features alone",
        "strong_feature": "strong feature alone",
        "rule": "--t",
        "svm_standard": "SVM, standard",
        "svm_adversarial": f"SVM, trained at ε = {inputs['train_eps']:g}",
        "best_linear": "most robust linear rule of the curve",
    }
    rows = []
    for key, name in names.items():
        if entry := report.get(key):
            accuracies = [render.probability(entry, f"{kind}_accuracy") for kind in ("standard", "adversarial")]
            bound = render.percent(entry.get("bound"))
            weights = f"{entry['w1']:.6g}, {entry['v']:.6g}" if "w1" in entry else ""
            t = "undefined, w = 0" if entry["t"] is None else render.number(entry["t"])
            rows.append([name, t, weights, *accuracies, bound])
    columns = ["classifier", "t = w1/v", "w1, v", "standard accuracy", "adversarial accuracy", "bound of Theorem 2.1"]
    console.show_table(title, columns, rows)
    verdict = "holds" if report["theorem_2_2_holds"] else "fails"
    print(f"Theorem 2.2, adversarial part: {verdict} for training at ε = {inputs['train_eps']:g}")
    render.check(report)
