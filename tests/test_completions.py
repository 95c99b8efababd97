import re
import shutil
import subprocess
import sys

import pexpect
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


NAMES = [
    ("eval --adv li", "linf"),
    ("eval --adv=li", "linf"),
    ("attack --attack=sig", "sigma-zero"),
    ("train --arch=preactresnet1", "preactresnet18"),
    ("train --preset=coll", "collins2019-mnist"),
    ("eval --preset ily", "ilyas2019-cifar"),
    ("explain --method=smo", "smoothgrad"),
    ("eval --device=m", "mps"),
    ("relabel --map restr", "restricted-imagenet"),
    ("data fashion", "fashion-mnist"),
    ("presets sugg", "suggala2019-mnist"),
    ("completion fi", "fish"),
    ("theory gaussian --noise-kind=v", "variance"),
]
"""What is typed before the tab, and the name that it begins."""


@pytest.mark.parametrize(("line", "name"), NAMES)
def test_bash_completes_names(line, name):
    words = ["advtool", *re.findall(r"=|[^\s=]+", line)]  # bash splits words at equals signs
    assert complete(words) == [name]
    assert name in complete([*words[:-1], ""] if words[-2] != "=" else words[:-1])


def needs(shell: str) -> None:
    if not shutil.which(shell):
        pytest.skip(f"no {shell} here")


@pytest.mark.parametrize(("line", "name"), NAMES)
def test_fish_completes_names(line, name):
    needs("fish")
    script = f"source {COMPLETIONS / 'advtool.fish'}; complete -C 'advtool {line}'"
    found = subprocess.run(["fish", "-c", script], capture_output=True, text=True, check=True).stdout.splitlines()
    option = line.split()[-1].partition("=")[0] + "=" if "=" in line else ""
    assert [entry.partition("\t")[0] for entry in found] == [option + name]


def test_zsh_completes_names(tmp_path):
    """All in one shell at a terminal, where it is at home; a word that is unique is completed by one tab."""
    needs("zsh")
    shutil.copy(COMPLETIONS / "_advtool", tmp_path)
    env = environment(TERM="dumb")
    child = pexpect.spawn("zsh", ["-f", "-i"], encoding="utf-8", timeout=30, dimensions=(40, 200), env=env)
    child.sendline(f"PS1='> '; fpath=({tmp_path} $fpath); autoload -Uz compinit; compinit -u -d {tmp_path}/dump")
    child.sendline("unsetopt zle_bracketed_paste; echo be''gun")
    child.expect("begun")
    for line, name in NAMES:
        child.send(f"advtool {line}\t")
        typed = line.rpartition("=")[2] if "=" in line else line.split()[-1]
        child.expect_exact(name[len(typed) :])
        child.send("\x15")  # forget the line
    child.sendline("exit")
    child.expect(pexpect.EOF)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_command_prints_the_script(advtool, shell):
    name = {"bash": "advtool.bash", "zsh": "_advtool", "fish": "advtool.fish"}[shell]
    for arguments, variables in (([shell], {}), ([], {"SHELL": f"/usr/bin/{shell}"})):
        assert advtool("completion", *arguments, **variables).stdout == (COMPLETIONS / name).read_bytes()


def test_shells_that_there_are_not(advtool):
    assert (refused := advtool("completion", "fihs")).returncode == 2 and b"did you mean fish?" in refused.stderr
    assert b"advtool completion bash|zsh|fish" in advtool("completion", SHELL="/bin/tcsh").stderr


@pytest.mark.parametrize(("shell", "name"), [("zsh", "_advtool"), ("fish", "advtool.fish")])
def test_other_shells_parse_their_scripts(shell, name):
    if not shutil.which(shell):
        pytest.skip(f"no {shell} here")
    subprocess.run([shell, "-n", COMPLETIONS / name], check=True)
