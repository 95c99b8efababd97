"""What ``advtool theory tradeoff`` computes and shows."""

from advtool.cli import console
from advtool.cli.theory.tradeoff import Tradeoff
from advtool.commands.theory import render
from advtool.commands.theory.parameters import parameters
from advtool.commands.theory.render import Report
from advtool.commands.theory.run import Model, run_model
from advtool.theory.tradeoff.checks import claims
from advtool.theory.tradeoff.figure import figure
from advtool.theory.tradeoff.report import report


def run(options: Tradeoff) -> None:
    """Report on one strong and many weak features."""
    run_model(Model(report, claims, show, row, figure), options, parameters(options))


def row(report: Report) -> tuple[str, ...]:
    rules = [name for name in ("average", "rule", "svm_standard", "svm_adversarial", "best_linear") if name in report]
    paths = [f"{name}.{kind}_accuracy" for name in rules for kind in ("standard", "adversarial")]
    return (*paths, "svm_adversarial.w1", "theorem_2_2_holds")


def show(report: Report) -> None:
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
    console.line(f"Theorem 2.2, adversarial part: {verdict} for training at ε = {inputs['train_eps']:g}")
    render.check(report)
