"""What ``advtool theory bernoulli`` computes and shows."""

from functools import partial

from advtool.cli import console
from advtool.cli.theory.bernoulli import Bernoulli
from advtool.commands.theory import render
from advtool.commands.theory.parameters import parameters
from advtool.commands.theory.render import Report
from advtool.commands.theory.run import Model, run_model
from advtool.theory.bernoulli.checks import claims
from advtool.theory.bernoulli.figure import figure
from advtool.theory.bernoulli.report import report, table_report


def run(options: Bernoulli) -> None:
    """Report on Bernoulli features, or train for Table 1."""
    asked = parameters(options, table=None)
    if not options.table:
        run_model(Model(report, claims, show, row, figure), options, asked)
        return
    if radii := asked.swept.pop("eps", None):  # the rows of the table, not a sweep
        asked.fixed["eps"] = radii
    run_model(Model(partial(table_report, seed=options.seed), claims, _show_table, None, figure), options, asked)


def row(report: Report) -> tuple[str, ...]:
    classifiers = [name for name in ("averaged", "equal", "weights", "robust") if name in report["errors"]]
    errors = [f"errors.{name}.{kind}_error" for name in classifiers for kind in ("standard", "adversarial")]
    return ("threshold", "features_kept", *errors, "repaired.bound", "repaired.probability")


def show(report: Report) -> None:
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


def _method(entry: Report) -> str:
    methods = dict.fromkeys(entry[f"{kind}_error_method"] for kind in ("standard", "adversarial"))
    notes = {"bracket": "within a bracket (see --json)", "clt": "approximate (normal)"}
    return ", ".join(notes.get(method, f"exact, {method}") for method in methods)


def _show_table(report: Report) -> None:
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
    console.line("the paper prints 98.9% for standard training, clean, and 0.08% and 0.01% for 8% and 1% (B1, B2)")


def _accuracy(entry: Report | None, printed: float | None) -> str:
    if entry is None:
        return ""
    spread = "" if entry["sd"] is None else f" ± {100 * entry['sd']:.2f}"
    return f"{100 * entry['mean']:.2f}{spread}" + ("" if printed is None else f" [{100 * printed:.4g}]")
