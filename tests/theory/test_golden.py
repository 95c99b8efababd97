"""Values to 16 digits, each confirmed by a second, independent method: through the library and through the command."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from theory_command import theory

from advtool.theory.bernoulli.averaged import repaired, theorem1
from advtool.theory.bernoulli.error import linear_error
from advtool.theory.bernoulli.threshold import population
from advtool.theory.gaussian import bounds, decision, hyperplane, randomized, weighted
from advtool.theory.gaussian.decision import TwoGaussians
from advtool.theory.mixture import corollaries, exact, risks, squares
from advtool.theory.mixture.risks import Mixture
from advtool.theory.mle import alignment, covariance, perturbation
from advtool.theory.tradeoff import linear, svm
from advtool.theory.tradeoff.linear import Features

CASES = json.loads((Path(__file__).parent / "golden.json").read_text())["cases"]


def identify(case):
    return case["id"]


def numbers(values):
    """Numbers of a case: some are strings, and some lists are in words."""
    if isinstance(values, str) and " x" in values:
        value, count = values.split(" x")
        return [float(value)] * int(float(count))
    if isinstance(values, str) and values.startswith("linspace"):
        first, last, count = values.removeprefix("linspace(").rstrip(")").split(",")
        return np.linspace(float(first), float(last), int(count)).tolist()
    return [float(value) for value in values]


def comma(values) -> str:
    return ",".join(repr(float(value)) for value in values)


def close(value, expected: str) -> None:
    assert value == pytest.approx(float(expected), rel=1e-8, abs=1e-14 if float(expected) == 0 else 0)


def number(inputs: dict, *names: str) -> list[float]:
    return [float(inputs[name]) for name in names]


def gaussians(inputs) -> TwoGaussians:
    return TwoGaussians(*number(inputs, "h", "sigma1", "sigma2"))


def exponent(inputs) -> float:
    return float(inputs.get("p", "inf"))


def angle(found: svm.Svm) -> float:
    return math.atan2(found.w1, found.v)


def counterexample() -> Mixture:
    theta = np.zeros(1001)
    theta[0] = 1
    return Mixture(theta, 0.01 * np.concatenate([[3.0], np.full(1000, 1 / math.sqrt(1000))]), 1.0)


def bernoulli_weights(inputs):
    tau = np.linspace(0, inputs["tau_max"], inputs["d"])
    return (tau if inputs["weights"] == "w ~ tau" else np.ones_like(tau)), tau


def mixture(inputs) -> Mixture:
    return Mixture(inputs["theta"], inputs["w"], inputs["sigma"])


def features(inputs, p=0.7) -> Features:
    return Features(inputs["d"], inputs["eta"], inputs.get("p", p))


def svm_accuracy(inputs) -> float:
    eps = inputs.get("eps_test", inputs.get("eps", 0.0))
    return math.exp(linear.log_accuracy(features(inputs), float(inputs["t"]), 0.0 if "eps_test" not in inputs else eps))


GAUSSIAN = {
    "w_star": lambda i: decision.threshold(gaussians(i)),
    "w_robust": lambda i: decision.threshold(gaussians(i), float(i["eps_p"])),
    "beta": lambda i: math.exp(decision.log_error(gaussians(i), float(i["w"]), float(i["eps_p"]))),
    "log beta": lambda i: decision.log_error(gaussians(i), decision.threshold(gaussians(i))),
    "W_lambda": lambda i: weighted.minimise(gaussians(i), i["eps_p"], i["lam"]).w,
    "dsigma": lambda i: randomized.noise_for(gaussians(i), decision.threshold(gaussians(i), i["eps_p"])),
    "lambda": lambda i: weighted.lam_of(gaussians(i), i["eps_p"], decision.threshold(gaussians(i), noise=3.5)),
    "eps_p": lambda i: bounds.eps_p(i["delta"], i["eps"], exponent(i)),
    "max effective": lambda i: hyperplane.most_robust(i["delta"], i["eps"], math.inf).separation,
    "E eps_inf/eps": lambda i: bounds.mean_eps_inf(i["d"]),
}
TRADEOFF = {
    "f_avg": lambda i: math.exp(linear.log_accuracy_average(features(i), i["eps"])),
    "accuracy of sign": lambda i: math.exp(linear.log_accuracy(features(i), i["t"], i["eps"])),
    "log adversarial": lambda i: linear.log_accuracy_average(features(i), i["eps"]),
    "E max": lambda i: float(svm.hinge(i["mu"], i["s"])),
    "unit-norm": lambda i: angle(svm.unit_norm(features(i), i["eps"])),
    "standard accuracy": svm_accuracy,
    "adversarial accuracy": svm_accuracy,
    "adversarial SVM": lambda i: svm.robust_w1(i["p"], i["eps"], i["lam"]),
}
MLE = {
    "lambda": lambda i: covariance.robust_covariance(i["S"], i["eps"]).lam,
    "robust variance": lambda i: covariance.robust_covariance(numbers(i["S"]), i["eps"]).variances,
    "Lemma1": lambda i: perturbation.quadratic(
        np.array(i["v"]) + perturbation.worst_perturbation(i["v"], i["S"], i["eps"])[0], i["S"]
    ),
    "Thm1": lambda i: perturbation.excess_loss(i["S"], i["C"], i["convention"]),
    "min over mu": lambda i: alignment.worst_alignment(i["S"]),
    "min cos": lambda i: alignment.worst_alignment(covariance.robust_covariance(i["S"], i["eps"]).variances),
}
BERNOULLI = {
    "exact linear": lambda i: math.exp(linear_error(i["w"], i["tau"], i["eps"]).log_error),
    "exact error": lambda i: math.exp(linear_error(*bernoulli_weights(i), i["eps"]).log_error),
    "log error": lambda i: linear_error(1.0, [i["tau"]] * i["d"], i["eps"]).log_error,
    "error, equal": lambda i: math.exp(linear_error(1.0, [i["tau"]] * i["d"], i["eps"]).log_error),
    "Theorem 1 bound": lambda i: theorem1(numbers(i["tau"]), i["n"])["bound"],
    "Theorem 1 probability": lambda i: theorem1(numbers(i["tau"]), i["n"])["probability"],
    "repaired": lambda i: repaired(numbers(i["tau"]), i["n"])["bound"],
    "population": lambda i: population(numbers(i["tau"]), i["eps"], i["mix"]).threshold,
    "largest robust": lambda i: population(numbers(i["tau"]), i["eps"], i["mix"]).weights[7],
}
MIXTURE = {
    "R_adv in the": lambda i: math.exp(exact.log_adversarial_risk(counterexample(), i["eps"], math.inf)),
    "R_adv exact": lambda i: math.exp(exact.log_adversarial_risk(mixture(i), i["eps"], exponent(i))),
    "R": lambda i: math.exp(risks.log_risk(mixture(i))),
    "G_adv": lambda i: math.exp(risks.log_adversarial_risk_total(mixture(i), i["eps"], exponent(i))),
    "log G_adv": lambda i: risks.log_adversarial_risk_total(mixture(i), i["eps"], exponent(i)),
    "Corollary 2": lambda i: corollaries.critical_eps(i["p"]),
    "Corollary 3 excess": lambda i: math.exp(corollaries.log_excess_risk(i["theta_sq"], i["sigma"])),
    "Corollary 3 exact": lambda i: math.exp(
        corollaries.log_corollary3(i["theta_sq"], i["m"], i["sigma"], corollaries.corollary3_eps(i["theta_sq"], i["m"]))
    ),
    "paper bound (3)": lambda i: math.exp(risks.log_bound3(counterexample(), i["eps"], math.inf)),
    "Corollary 4": lambda i: math.exp(
        corollaries.log_corollary4(i["theta"], i["sigma"], 2.0, corollaries.alpha_l1(10_000, "repaired"), i["eps"])
    ),
    "two squares: min": lambda i: squares.minimise(i["eps"])["adversarial_risk_total"],
    "two squares: R": lambda i: squares.minimise(i["eps"])["risk"],
    "Thm7: R_adv": lambda i: squares.logistic_adversarial_risk(i["w"], i["b"], i["eps"]),
    "Thm7: first": lambda i: squares.first_order(i["w"], i["b"]),
}
LIBRARY = {"gaussian": GAUSSIAN, "tradeoff": TRADEOFF, "mle": MLE, "bernoulli": BERNOULLI, "mixture": MIXTURE}


def pick(table: dict, quantity: str):
    """The entry whose name begins the quantity; the longest such."""
    return table[max((name for name in table if quantity.startswith(name)), key=len)]


def coordinate(value, quantity: str):
    if np.ndim(value) == 0:
        return value
    return value[int(quantity.split("[")[1].rstrip("]"))] if "[" in quantity else value[-1]


@pytest.mark.parametrize("case", CASES, ids=identify)
def test_library(case):
    value = pick(LIBRARY[case["model"]], case["quantity"])(case["inputs"])
    close(coordinate(value, case["quantity"]), case["value"])


def gaussian_command(case, tmp_path):
    i, quantity = case["inputs"], case["quantity"]
    if "delta" in i:
        (tmp_path / "delta.txt").write_text(" ".join(map(str, i["delta"])))
        norm = f"l{i.get('p', 'inf')}"
        report = theory("gaussian", "--delta", tmp_path / "delta.txt", "--norm", norm, "--eps", i["eps"])
        return report["eps_p"] if quantity.startswith("eps_p") else report["hyperplane"]["separation"]
    if "d" in i:
        report = theory("gaussian", "--sigma1", 1, "--sigma2", 3, "--dim", i["d"], "--eps", 0.5)
        return report["bounds"]["average_lower_exact"] / 0.25
    options = ["--distance", i["h"], "--sigma1", i["sigma1"], "--sigma2", i["sigma2"]]
    if "Table1" in quantity:  # there w is the place that a training finds
        report = theory("gaussian", *options, "--eps-p", 7)
        training = next(name for name in ("standard", "adversarial", "randomised") if f"Table1 {name}" in quantity)
        entry = report["randomized" if training == "randomised" else training]
        assert entry["w"] == pytest.approx(float(i["w"]), rel=1e-14)
        return entry["adversarial_error" if i["eps_p"] else "standard_error"]
    report = theory("gaussian", *options, "--eps-p", i.get("eps_p", 0), "--lam", i.get("lam", 0))
    if quantity.startswith("W_lambda"):
        return report["weighted"][0]["w"]
    paths = {"w_": ("adversarial", "w"), "log": ("standard", "log_standard_error")}
    paths |= {"ds": ("equivalents", "noise_of_adversarial"), "la": ("equivalents", "lam_of_noise")}
    first, second = next(path for start, path in paths.items() if quantity.startswith(start))
    return report[first][second]


def tradeoff_command(case, tmp_path):
    i, quantity = case["inputs"], case["quantity"]
    if "mu" in i:
        pytest.skip("an integral inside the SVM, not an output of the command")
    if "lam" in i:
        report = theory("tradeoff", "--eta", i["eps"], "--eps", i["eps"], "--p", i["p"], "--lam", i["lam"])
        return report["svm_adversarial"]["w1"]
    options = ["--dim", i["d"], "--eta", i["eta"], "--p", i.get("p", 0.7)]
    if quantity.startswith(("f_avg", "log")):
        log = "log_" if quantity.startswith("log") else ""
        return theory("tradeoff", *options, "--eps", i["eps"])["average"][f"{log}adversarial_accuracy"]
    if quantity.startswith("accuracy of sign"):
        return theory("tradeoff", *options, "--t", i["t"], "--eps", i["eps"])["rule"]["adversarial_accuracy"]
    trained = i.get("eps_train", i.get("eps"))
    entry = theory("tradeoff", *options, "--train-eps", trained)["svm_adversarial"]
    if quantity.startswith("unit-norm"):
        return math.atan2(entry["w1"], entry["v"])
    assert entry["t"] == pytest.approx(float(i["t"]), rel=1e-12)
    return entry["adversarial_accuracy" if "eps_test" in i else "standard_accuracy"]


def mle_command(case, tmp_path):
    i, quantity = case["inputs"], case["quantity"]
    repeated = ["--dim", int(float(i["S"].split(" x")[1]))] if isinstance(i["S"], str) else []
    options = ["--variances", i["S"].split(" x")[0] if repeated else comma(i["S"]), *repeated, "--eps", i.get("eps", 1)]
    if "C" in i:
        return theory("mle", *options, "--penalty", i["C"], "--convention", i["convention"])["excess_loss"]
    if "v" in i:
        return theory("mle", *options, "--residual", comma(i["v"]))["perturbation"]["loss_perturbed"]
    report = theory("mle", *options)
    names = {"lambda": "lam", "robust": "robust_covariance", "min over": "worst_alignment_standard"}
    names["min cos"] = "worst_alignment_robust"
    return report[pick(names, quantity)]


def bernoulli_command(case, tmp_path):
    i, quantity = case["inputs"], case["quantity"]
    if "weights" in i:
        report = theory("bernoulli", "--dim", i["d"], "--tau-max", i["tau_max"], "--eps", i["eps"])
        return report["errors"]["averaged" if i["weights"] == "w ~ tau" else "equal"]["adversarial_error"]
    tau = [i["tau"]] * i["d"] if "d" in i else numbers(i["tau"])
    report = theory(
        "bernoulli", "--tau", comma(tau), *(["--weights", comma(i["w"])] if "w" in i else []),
        "--eps", i.get("eps", 0.1), "-n", i.get("n", 100), "--mix", i.get("mix", 0.5),
    )  # fmt: skip
    paths = {
        "exact linear": ("errors", "weights", "adversarial_error"),
        "log error": ("errors", "equal", "log_adversarial_error"),
        "error, equal": ("errors", "equal", "adversarial_error"),
        "Theorem 1 bound": ("theorem1", "bound"),
        "Theorem 1 probability": ("theorem1", "probability"),
        "repaired": ("repaired", "bound"),
        "population": ("threshold",),
        "largest": ("robust_weights", 7),
    }
    for key in pick(paths, quantity):
        report = report[key]
    return report


def mixture_command(case, tmp_path):
    i, quantity = case["inputs"], case["quantity"]
    if quantity.startswith("two squares"):
        report = theory("mixture", "--case", "squares", "--eps", i["eps"])
        return report["adversarial_risk_total" if "min G" in quantity else "risk"]
    if quantity.startswith("Thm7"):
        report = theory(
            "mixture", "--case", "theorem7", "--w", comma(i["w"]), "--bias", i["b"], "--eps", i.get("eps", 0.1)
        )
        return report["coefficient" if "first" in quantity else "adversarial_loss"]
    if quantity.startswith("Corollary 2"):
        return theory("mixture", "--case", "corollary2", "--dim", i["p"], "--sigma", i["sigma"])["critical_eps"]
    if quantity.startswith("Corollary 3"):
        options = ["--theta-squared", repr(i["theta_sq"]), "--sigma", i["sigma"], "--free", i.get("m", 100)]
        report = theory("mixture", "--case", "corollary3", *options)
        return report["excess_risk" if "excess" in quantity else "adversarial_risk"]
    if quantity.startswith("Corollary 4"):
        return theory("mixture", "--case", "corollary4", "--eps", i["eps"])["repaired_start"]["adversarial_risk"]
    if i["theta"] == "e1":
        point = counterexample()
        for name in ("theta", "w"):
            np.save(tmp_path / f"{name}.npy", getattr(point, name))
        report = theory("mixture", "--theta", tmp_path / "theta.npy", "--w", tmp_path / "w.npy", "--eps", i["eps"])
        return report["bound3" if quantity.startswith("paper bound") else "adversarial_risk"]
    norm = f"l{i.get('p', 'inf')}"
    options = ["--theta", comma(i["theta"]), "--w", comma(i["w"]), "--sigma", i["sigma"], "--norm", norm]
    report = theory("mixture", *options, "--eps", i.get("eps", 0.1))
    names = {
        "R": "risk",
        "R_adv": "adversarial_risk",
        "G": "adversarial_risk_total",
        "log": "log_adversarial_risk_total",
    }
    return report[pick(names, quantity)]


COMMANDS = {
    "gaussian": gaussian_command,
    "tradeoff": tradeoff_command,
    "mle": mle_command,
    "bernoulli": bernoulli_command,
    "mixture": mixture_command,
}


@pytest.mark.parametrize("case", CASES, ids=identify)
def test_command(case, tmp_path):
    close(coordinate(COMMANDS[case["model"]](case, tmp_path), case["quantity"]), case["value"])
