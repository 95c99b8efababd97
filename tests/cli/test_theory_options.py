"""Every option of every model, in every mode: it changes what is reported, or it is refused by name."""

from functools import cache

import pytest
from theory_command import refused, run, theory

from advtool.cli.theory import MODELS
from advtool.options import declarations, spelling

TALK = ("config", "json", "quiet", "verbose")
VALUES = {
    "gaussian": {
        "sigma1": "2",
        "sigma2": "7",
        "dim": "100",
        "distance": "20",
        "norm": "l2",
        "eps": "0.4",
        "ratio": "0.7",
        "eps_p": "5",
        "radius": "3",
        "noise": "2",
        "noise_kind": "variance",
        "lam": "0.5",
        "delta": "delta.txt",
        "simulate": "20",
    },
    "bernoulli": {
        "dim": "6",
        "tau_max": "0.2",
        "tau": "0.1,0.3,0.4",
        "eps": "0.4",
        "n": "60",
        "mix": "0.8",
        "weights": "weights.txt",
        "table": None,
        "seeds": "2",
    },
    "tradeoff": {
        "dim": "100",
        "eta": "0.1",
        "p": "0.8",
        "eps": "0.05",
        "train_eps": "0.05",
        "lam": "0.1",
        "t": "2",
        "all_linear": None,
    },
    "mle": {
        "variances": "1,5",
        "dim": "2",
        "eps": "0.5",
        "mu": "1,2",
        "penalty": "3",
        "convention": "paper",
        "residual": "1,2",
    },
    "mixture": {
        "theta": "2,1",
        "w": "1,3",
        "sigma": "2",
        "eps": "0.3",
        "norm": "l2",
        "dim": "50",
        "theta_squared": "3",
        "free": "100",
        "lam": "0.5",
        "bias": "0.3",
    },
}
SHARED = {"check": None, "samples": "2000", "seed": "1", "plot": "figure.svg"}
MODES = {  # and the options, besides those of the mode itself, that are refused in it
    "gaussian": "samples seed",
    "gaussian --check --samples 1000": "",
    "gaussian --simulate 10": "samples",
    "gaussian --eps-p 6": "norm eps ratio delta samples seed",
    "gaussian --eps-p 6 --distance 30": "dim norm eps ratio delta samples seed",
    "gaussian --delta other.txt": "dim distance ratio eps_p samples seed",
    "gaussian --norm l2 --eps 0.2": "ratio eps_p samples seed",
    "bernoulli --tau 0.1,0.2,0.4": "dim tau_max seeds samples seed",
    "bernoulli --tau 0.1,0.2,0.3 --check --samples 1000": "dim tau_max table seeds",
    "bernoulli --dim 5 --tau-max 0.1 -n 100": "tau seeds samples seed",
    "bernoulli --table --tau 0.1,0.2,0.4 -n 50": "dim tau_max mix weights check samples",
    "bernoulli --table --seeds 1 --dim 3": "tau mix weights check samples",
    "tradeoff": "samples seed",
    "tradeoff --check --samples 1000": "",
    "mle": "dim convention samples seed",
    "mle --check": "dim convention",
    "mle --variances 2": "mu residual plot convention samples seed",  # that are for two variances
    "mle --penalty 4 --check --samples 1000": "dim",
    "mixture": "dim theta_squared free lam bias samples seed",
    "mixture --case mixture --check --samples 1000": "dim theta_squared free lam bias",
    "mixture --case corollary2": "theta w norm theta_squared free lam bias samples seed",
    "mixture --case corollary3": "theta w norm dim lam bias samples seed",
    "mixture --case corollary4": "w norm dim theta_squared lam bias samples seed",
    "mixture --case squares": "theta w sigma norm dim theta_squared free bias samples seed",
    "mixture --case theorem7": "theta sigma norm dim theta_squared free lam samples seed",
}
CASES = [
    (mode, name, name in refused_there.split())
    for mode, refused_there in MODES.items()
    for name in {**VALUES[mode.split()[0]], **SHARED}
    if spelling(MODELS[mode.split()[0]], name) not in mode.replace("-n ", "--n ").split()
    and (name != "plot" or "plot" in refused_there.split())  # pictures are looked at in test_theory.py
]


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "delta.txt").write_text("3 1 0.2 -2")
    (tmp_path / "other.txt").write_text("3 1 1 1")
    (tmp_path / "weights.txt").write_text(" ".join(map(str, range(1, 101))))
    return tmp_path


def words(mode: str, name: str) -> list[str]:
    model = mode.split()[0]
    value = {**VALUES[model], **SHARED, "case": "squares"}[name]
    if name == "weights" and ("--tau" in mode or "--dim" in mode):
        value = "1,2,3" if "--tau " in mode else "1,2,3,4,5"
    return [*mode.split(), spelling(MODELS[model], name), *([] if value is None else [value])]


@pytest.mark.parametrize("model", MODELS)
def test_every_option_is_tried(model):
    assert set(declarations(MODELS[model])) == {*VALUES[model], *SHARED, *TALK, "errata"} | (
        {"case"} if model == "mixture" else set()
    )


@pytest.mark.parametrize(("mode", "name", "is_refused"), CASES, ids=lambda value: str(value).replace(" ", "_"))
def test_an_option_changes_the_report_or_is_refused_by_name(files, mode, name, is_refused):
    if is_refused:
        assert spelling(MODELS[mode.split()[0]], name) in refused(*words(mode, name))
        return
    report = theory(*words(mode, name))
    assert computed(report) != computed(reported(mode))


def computed(report: dict) -> dict:
    return {key: value for key, value in report.items() if key != "inputs"}


@cache
def reported(mode: str) -> dict:
    return theory(*mode.split())


@pytest.mark.parametrize("model", MODELS)
def test_errata_take_nothing_but_how_loud(files, model):
    assert theory(model, "--errata", "--json", "-q", "-v") == theory(model, "--errata")
    for name in declarations(MODELS[model]):
        if name not in (*TALK, "errata"):
            line = refused(*words(f"{model} --errata", name))
            assert line == f"{spelling(MODELS[model], name)}: has no use with --errata"


@pytest.mark.parametrize("model", MODELS)
def test_help_says_what_an_option_needs(model):
    shown = " ".join(run(model, "--help").stdout.replace("│", " ").split())
    assert "Checks and pictures" in shown and "Needs --check" in shown
