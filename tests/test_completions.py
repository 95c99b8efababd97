import shutil
import subprocess
import sys

import pytest
from tests_support import REPOSITORY, environment

COMPLETIONS = REPOSITORY / "completions"


def test_completions_are_not_stale(tmp_path):
    script = COMPLETIONS / "generate.py"
    subprocess.run([sys.executable, script, tmp_path], check=True, env=environment())
    for fresh in tmp_path.iterdir():
        committed = (COMPLETIONS / fresh.name).read_text()
        assert committed == fresh.read_text(), f"{fresh.name} is stale: run python completions/generate.py"


def complete(words: list[str]) -> list[str]:
    script = f"""
source {COMPLETIONS / "advtool.bash"}
COMP_WORDS=({" ".join(f"'{word}'" for word in words)})
COMP_CWORD={len(words) - 1}
_advtool
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout.split()


def test_bash_completes_commands_options_and_choices():
    assert complete(["advtool", "tr"]) == ["train", "transfer"]
    assert complete(["advtool", "train", "--ep"]) == ["--eps", "--eps-warmup", "--epochs"]
    assert complete(["advtool", "eval", "--adv", "l"]) == ["l2", "linf", "l1", "l0"]
    assert complete(["advtool", "eval", "--attack", "a"]) == [
        *("apgd", "apgd-ce", "apgd-dlr", "apgd-t", "autoattack", "autoattack-plus", "autoattack-rand")
    ]
    assert complete(["advtool", "attack", "--attack", "f"]) == ["fgsm", "fast", "fmn", "fab", "fab-t"]
    assert complete(["advtool", "explain", "--method", "w"]) == ["weights"]
    assert complete(["advtool", "data", "--split", "t"]) == ["train", "test"]


def test_bash_completes_datasets_and_files(tmp_path, monkeypatch):
    (tmp_path / "mnist-shards").mkdir()
    monkeypatch.chdir(tmp_path)
    for words in (["train", "--data"], ["train", "--eval-data"], ["explain", "--data"]):
        assert sorted(complete(["advtool", *words, "mn"])) == ["mnist", "mnist-shards"]


def test_descriptions_say_whom_an_option_is_for():
    lines = (COMPLETIONS / "advtool.fish").read_text().splitlines()
    (restarts,) = (line for line in lines if "from attack'" in line and "-l restarts" in line)
    assert "(pgd, apgd, apgd-ce, apgd-dlr, apgd-t, fab, fab-t, square)" in restarts
    (beta,) = (line for line in lines if "from train'" in line and "-l beta" in line)
    assert "(trades, mart)" in beta


def test_bash_completes_the_commands_of_a_group():
    assert complete(["advtool", "theory", "g"]) == ["gaussian"]
    assert complete(["advtool", "theory", "gaussian", "--sigma"]) == ["--sigma1", "--sigma2"]
    assert complete(["advtool", "theory", "gaussian", "--noise-kind", "v"]) == ["variance"]


@pytest.mark.parametrize(("shell", "name"), [("zsh", "_advtool"), ("fish", "advtool.fish")])
def test_other_shells_parse_their_scripts(shell, name):
    if not shutil.which(shell):
        pytest.skip(f"no {shell} here")
    subprocess.run([shell, "-n", COMPLETIONS / name], check=True)
