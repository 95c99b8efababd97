"""`advtool theory`: tables, JSON, sweeps, figures, checks, and every way to hold it wrong."""

import json
import math
import resource
import subprocess
import sys

import numpy as np
import pytest
from tests_support import environment
from theory_command import refused, run, theory, theory_lines

from advtool.cli.theory import MODELS
from advtool.errors import AdvtoolError


def test_table_1_in_a_moment(advtool):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = advtool("theory", "gaussian", "--sigma1", "3", "--sigma2", "6")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime  # the machine may be busy
    report = json.loads(process.stdout)
    assert process.returncode == 0 and process.stdout.count(b"\n") == 1
    kinds = ("standard_error", "adversarial_error")
    rows = [
        [round(100 * report[name][kind], 4) for kind in kinds] for name in ("standard", "adversarial", "randomized")
    ]
    assert rows == [[0.0877, 10.4131], [0.2476, 5.5831], [0.2128, 5.6367]]
    assert seconds < 1.5


def at_a_terminal(monkeypatch, *arguments) -> str:
    monkeypatch.setattr("advtool.cli.output.wants_json", lambda flag: flag)
    monkeypatch.setenv("COLUMNS", "160")
    return run(*arguments).stdout


def test_table_1_to_four_digits_with_its_misprints(monkeypatch):
    shown = at_a_terminal(monkeypatch, "gaussian", "--sigma1", 3, "--sigma2", 6)
    for value in (
        "0.0877%",
        "10.4131%",
        "0.2476%",
        "5.5831%",
        "+0.1599",
        "−4.8300",
        "0.2128%",
        "5.6367%",
        "+0.1251",
        "−4.7764",
    ):
        assert value in shown
    assert shown.count("(G2)") == 4 and "prints −14.03" in shown
    shown = at_a_terminal(monkeypatch, "gaussian", "--sigma1", 2, "--sigma2", 18)
    for value in ("5.3415%", "51.8589%", "8.8584%", "15.5375%", "+3.5169", "8.0432%", "16.5213%", "+2.7017"):
        assert value in shown
    assert "G2" not in shown


@pytest.mark.parametrize("model", MODELS)
def test_every_model_shows_a_table(monkeypatch, model):
    shown = at_a_terminal(monkeypatch, model, "--check", "--samples", 20_000)
    assert "agrees" in shown and "DISAGREES" not in shown
    assert '"schema"' not in shown and "nan" not in shown.lower()


def no_nan(value) -> bool:
    if isinstance(value, dict):
        return all(no_nan(entry) for entry in value.values())
    if isinstance(value, list):
        return all(no_nan(entry) for entry in value)
    return not (isinstance(value, float) and math.isnan(value))


DEGENERATE = [
    ["gaussian", "--sigma1", "3", "--sigma2", "3"],
    ["gaussian", "--sigma1", "3", "--sigma2", "3", "--eps-p", "14"],
    ["gaussian", "--sigma1", "3", "--sigma2", "3", "--eps-p", "100"],
    ["gaussian", "--eps", "0"],
    ["gaussian", "--eps-p", "1000"],
    ["gaussian", "--dim", "1"],
    ["gaussian", "--dim", "1000000"],
    ["gaussian", "--lam", "0,inf"],
    ["gaussian", "--sigma1", "6", "--sigma2", "3", "--noise-kind", "variance"],
    ["gaussian", "--noise", "1e30"],
    ["gaussian", "--norm", "l2"],
    ["gaussian", "--simulate", "1"],
    ["bernoulli", "--eps", "0"],
    ["bernoulli", "--eps", "2"],
    ["bernoulli", "--dim", "1"],
    ["bernoulli", "--tau", "0,0,0"],
    ["bernoulli", "--tau", "0.5,0.1"],
    ["bernoulli", "--mix", "0"],
    ["bernoulli", "--mix", "1"],
    ["bernoulli", "--weights", "0,0", "--tau", "0.1,0.2"],
    ["bernoulli", "--dim", "3000"],
    ["tradeoff", "--dim", "1"],
    ["tradeoff", "--dim", "1000000"],
    ["tradeoff", "--eps", "0"],
    ["tradeoff", "--eps", "1"],
    ["tradeoff", "--eps", "50"],
    ["tradeoff", "--p", "0.5", "--lam", "0"],
    ["tradeoff", "--dim", "100", "--lam", "0"],
    ["mle", "--eps", "0"],
    ["mle", "--eps", "1e6"],
    ["mle", "--eps", "1e-12"],
    ["mle", "--variances", "2", "--dim", "1000"],
    ["mle", "--variances", "1e-40,1e40"],
    ["mle", "--residual", "0,0"],
    ["mixture", "--eps", "0"],
    ["mixture", "--eps", "1e6"],
    ["mixture", "--theta", "2,1", "--w", "4,2"],
    ["mixture", "--theta", "2,1", "--w", "2,1"],
    ["mixture", "--theta", "2,1", "--w=-2,-1"],
    ["mixture", "--theta", "3", "--w", "1"],
    ["mixture", "--norm", "l1"],
    ["mixture", "--case", "corollary2", "--dim", "2"],
    ["mixture", "--case", "squares", "--eps", "0"],
    ["mixture", "--case", "squares", "--eps", "9", "--lam", "0"],
    ["mixture", "--case", "theorem7", "--w", "0,0"],
    ["mixture", "--case", "corollary3", "--free", "1"],
    ["mixture", "--case", "corollary4", "--sigma", "0.01"],
]


@pytest.mark.parametrize("arguments", DEGENERATE, ids=" ".join)
def test_degenerate_input_gives_the_limit(arguments):
    report = theory(*arguments)
    assert no_nan(report) and report["model"] == arguments[0]


USAGE = [
    (["gaussian", "--sigma1", "0"], ["--sigma1 0", "positive"]),
    (["gaussian", "--sigma1", "-2"], ["--sigma1", "positive"]),
    (["gaussian", "--sigma1", "nan"], ["--sigma1", "finite"]),
    (["gaussian", "--sigma2", "inf"], ["--sigma2", "finite"]),
    (["gaussian", "--sigma2", "six"], ["--sigma2", "not a number"]),
    (["gaussian", "--sigma2", "2:18"], ["--sigma2", "from:to:step"]),
    (["gaussian", "--sigma2", "2:18:-1"], ["--sigma2", "step"]),
    (["gaussian", "--sigma2", "2:18:1e-9"], ["--sigma2", "100,000"]),
    (["gaussian", "--sigma1", "1:300:1", "--sigma2", "1:400:1"], ["combine"]),
    (["gaussian", "--eps", "-1"], ["--eps", "negative"]),
    (["gaussian", "--eps", "1/0"], ["--eps", "zero"]),
    (["gaussian", "--ratio", "2"], ["--ratio", "to 1"]),
    (["gaussian", "--norm", "l3"], ["--ratio", "delta"]),
    (["gaussian", "--norm", "l0"], ["--norm", "linf"]),
    (["gaussian", "--eps-p", "7", "--eps", "1"], ["--eps-p"]),
    (["gaussian", "--delta", "nowhere.txt"], ["--delta", "nowhere.txt"]),
    (["gaussian", "--noise-kind", "sds"], ["--noise-kind"]),
    (["gaussian", "--lam", "-1"], ["--lam", "negative"]),
    (["gaussian", "--dim", "2.5"], ["--dim", "whole"]),
    (["gaussian", "--distance", "0"], ["--distance", "positive"]),
    (["gaussian", "--plot", "x.gif"], ["--plot x.gif", ".png, .pdf or .svg"]),
    (["gaussian", "--plot", "nowhere/x.png"], ["--plot", "nowhere does not exist"]),
    (["gaussian", "--sigma1", "1,2", "--sigma2", "3,4", "--plot", "x.png"], ["--plot", "one option"]),
    (["gaussian", "--samples", "20000"], ["--samples", "needs --check"]),
    (["gaussian", "--seed", "1"], ["--seed", "needs --check or --simulate"]),
    (["gaussian", "--dim", "9", "--distance", "9", "--eps-p", "1"], ["--dim", "--distance and --eps-p"]),
    (["bernoulli", "--tau", "0.7"], ["--tau", "0.5"]),
    (["bernoulli", "--tau-max", "0.7"], ["0.5"]),
    (["bernoulli", "--mix", "2"], ["--mix"]),
    (["bernoulli", "--weights", "1,2"], ["--weights", "100 features"]),
    (["bernoulli", "--table", "--check"], ["--check", "no use with --table"]),
    (["tradeoff", "--p", "1"], ["--p"]),
    (["tradeoff", "--eta", "0"], ["--eta"]),
    (["mle", "--variances", "1,0"], ["--variances", "positive"]),
    (["mle", "--variances", "1,2", "--dim", "3"], ["--dim", "--variances holds 2"]),
    (["bernoulli", "-n", "0"], ["--n", "at least 1"]),
    (["bernoulli", "-n", "1.5"], ["--n 1.5", "whole"]),
    (["bernoulli", "--weights", "nowhere"], ["--weights nowhere", "no such file"]),
    (["mle", "--variances", "1e-300,1e300"], ["--variances", "1e100"]),
    (["mle", "--penalty", "0.1"], ["--penalty", "unbounded"]),
    (["mle", "--variances", "1,2,3", "--plot", "x.png"], ["--plot", "two variances"]),
    (["mixture", "--w", "0,0"], ["--w", "zero"]),
    (["mixture", "--sigma", "0"], ["--sigma", "positive"]),
    (["mixture", "--case", "corollary5"], ["corollary4"]),
    (["mixture", "--case", "squares", "--w", "1,2"], ["--w", "squares"]),
    (["gausian"], ["gaussian"]),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "words"), USAGE, ids=lambda value: " ".join(value))
def test_usage_errors(arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = refused(*arguments)
    for word in words:
        assert word in line
    assert not list(tmp_path.iterdir())


def test_an_error_is_one_line_and_exit_2(advtool):
    process = advtool("theory", "gaussian", "--sigma1", "nan")
    assert process.returncode == 2 and process.stdout == b""
    assert process.stderr.decode().splitlines() == ["advtool: error: --sigma1 nan: must be finite"]


def test_sweeps_are_json_lines_or_a_table(monkeypatch):
    lines = theory_lines("gaussian", "--sigma1", "2", "--sigma2", "2:18:0.5")
    assert [line["inputs"]["sigma2"] for line in lines] == [2 + 0.5 * i for i in range(33)]
    assert lines[-1]["standard"]["w"] == pytest.approx(4.91498, abs=5e-6)
    assert [line["inputs"]["eps"] for line in theory_lines("mixture", "--eps", "0.1:0.5:0.2")] == [0.1, 0.3, 0.5]
    assert len(theory_lines("mixture", "--eps", "0.1,0.2", "--sigma", "1,2,3")) == 6
    shown = at_a_terminal(monkeypatch, "gaussian", "--sigma1", "2", "--sigma2", "6,18")
    assert "sigma2" in shown and "51.8589%" in shown
    for model, option in (("bernoulli", "--eps"), ("tradeoff", "--eps"), ("mle", "--eps"), ("mixture", "--eps")):
        assert "eps" in at_a_terminal(monkeypatch, model, option, "0.1,0.2")


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg", "PNG", "Svg"])
def test_figures(tmp_path, suffix):
    start = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}[suffix.lower()]
    theory("gaussian", "--plot", tmp_path / f"a.{suffix}")
    assert (tmp_path / f"a.{suffix}").read_bytes().startswith(start)


@pytest.mark.parametrize(
    "arguments",
    [
        ["bernoulli", "-n", "500"],
        ["bernoulli", "--table", "--seeds", "2", "-n", "500"],
        ["tradeoff", "--all-linear"],
        ["mle"],
        ["mixture"],
        *(["mixture", "--case", f"corollary{i}"] for i in (2, 3, 4)),
        ["mixture", "--case", "squares"],
        ["mixture", "--case", "theorem7"],
        ["gaussian", "--sigma1", "1.02", "--sigma2", "10.6", "--eps-p", "5.46"],
        ["gaussian", "--sigma1", "3", "--sigma2", "3", "--eps-p", "20"],
        ["mixture", "--eps", "0:1:0.25"],
    ],
    ids=" ".join,
)
def test_every_model_draws_its_figure(tmp_path, arguments):
    theory_lines(*arguments, "--plot", tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 10_000


def test_check_fails_when_a_number_is_wrong(monkeypatch):
    from advtool.theory.gaussian import report

    true = report.log_error
    monkeypatch.setattr(report, "log_error", lambda *arguments: true(*arguments) + 0.2)
    with pytest.raises(AdvtoolError, match="numbers disagree with sampling: standard.adversarial_error") as raised:
        run("gaussian", "--check", "--samples", 50_000)
    assert raised.value.exit_code == 1


def test_check_is_part_of_the_report_and_keeps_its_promise_over_sweeps():
    report = theory("gaussian", "--check", "--samples", 50_000)
    assert report["check"]["agrees"] and len(report["check"]["claims"]) == 14
    lines = theory_lines("mixture", "--eps", "0:1:0.1", "--check", "--samples", 20_000)
    assert all(line["check"]["agrees"] for line in lines)


@pytest.mark.parametrize("model", MODELS)
def test_errata(model, monkeypatch):
    found = theory(model, "--errata")
    assert found["model"] == model and {"id", "place", "printed", "right", "why"} == set(found["errata"][0])
    assert found["errata"][0]["id"] in at_a_terminal(monkeypatch, model, "--errata")


@pytest.mark.parametrize(
    ("name", "content"), [("d.txt", b"3 1 0.2 -2"), ("d.csv", b"3,1\n0.2,-2\n"), ("d.json", b"[3, 1, 0.2, -2]")]
)
def test_delta_from_a_file(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    report = theory("gaussian", "--sigma1", 1, "--sigma2", 2, "--delta", tmp_path / name)
    assert report["hyperplane"]["separation"] == pytest.approx(math.sqrt(5))
    assert report["inputs"]["dim"] == 4


@pytest.mark.parametrize("content", [b"", b"one two", b"[1, [2]]", b"nan 1", b"0 0", b"\xff\xfe\x00"])
def test_bad_delta_files(tmp_path, content):
    (tmp_path / "d.txt").write_bytes(content)
    assert refused("gaussian", "--delta", tmp_path / "d.txt").startswith("--delta")


def test_delta_as_npy_is_not_unpickled(tmp_path):
    np.save(tmp_path / "d.npy", np.array([3, 1, 0.2, -2]))
    assert theory("gaussian", "--delta", tmp_path / "d.npy")["inputs"]["delta"] == [3, 1, 0.2, -2]
    np.save(tmp_path / "e.npy", np.array([object()]), allow_pickle=True)
    assert refused("gaussian", "--delta", tmp_path / "e.npy").startswith("--delta")


def test_simulation_is_shown(monkeypatch):
    report = theory("gaussian", "--simulate", 2000, "--seed", 3)
    assert [row["n"] for row in report["simulation"]] == [10, 100, 1000, 2000]
    assert report == theory("gaussian", "--simulate", 2000, "--seed", 3)
    assert "draws per class" in at_a_terminal(monkeypatch, "gaussian", "--simulate", 100)


def test_table_of_the_recipe(monkeypatch):
    report = theory("bernoulli", "--table", "--seeds", 2, "-n", 500, "--eps", "0.1,0.3")
    assert [row["eps"] for row in report["table"]] == [0.0, 0.1, 0.3]
    assert report["table"][1]["printed"]["standard_robust"] == 0.924
    assert "[32.3]" in at_a_terminal(monkeypatch, "bernoulli", "--table", "--seeds", 2, "-n", 500)


def test_a_cut_pipe_is_quiet(shell):
    process = shell("advtool theory gaussian --sigma2 2:400:0.5 | head -n 1 > /dev/null")
    assert process.returncode == 141 and process.stderr == b""


def test_what_is_not_needed_is_not_imported():
    script = """
import contextlib, io, sys
from advtool.cli import main
for arguments, heavy in (["--help"], {"numpy", "scipy", "torch"}), ([], {"torch", "matplotlib"}):
    sys.argv = ["advtool", "theory", "gaussian", *arguments]
    with contextlib.redirect_stdout(io.StringIO()):
        assert main._run() == 0
    print(arguments, *heavy & set(sys.modules))
"""
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment())
    assert process.stdout.splitlines() == ["['--help']", "[]"], process.stderr
