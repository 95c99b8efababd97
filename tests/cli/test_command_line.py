"""A command line that is wrong as such: one line on stderr, status 2, whatever the command and the option."""

from itertools import product

import pytest
from in_process import COMMANDS, refusal, run

from advtool.options import declarations, types

OPTIONS = [(command, name) for command, kind in COMMANDS.items() for name in declarations(kind)]


def declared(command: str, name: str):
    return declarations(COMMANDS[command])[name]


def named(command: str, name: str) -> bool:
    return bool(declared(command, name).names)


def is_flag(command: str, name: str) -> bool:
    return types(COMMANDS[command])[name] is bool


def repeats(command: str, name: str) -> bool:
    """Whether an option is for several values, each given by itself."""
    return str(types(COMMANDS[command])[name]).startswith("tuple") and declared(command, name).parse is None


def acceptable(command: str, name: str) -> str:
    """A value that an option can be read with."""
    found = declared(command, name)
    if found.choices:
        return found.choices[0]
    return {"norm": "l2", "delta": __file__}.get(name, str(max(found.minimum or 0, 1000 if name == "samples" else 0.5)))


def identify(value: str) -> str:
    return value.replace(" ", "-")


@pytest.mark.parametrize("command", COMMANDS, ids=identify)
def test_options_that_there_are_not(command):
    for words in (["--no-such-option"], ["--no-such-option=3"], ["-Z"], ["--", "--limit", "-x"], ["a", "b", "c"]):
        refusal(*command.split(), *words)
    assert "--quiet" in refusal(*command.split(), "--quite")  # the nearest one is named


@pytest.mark.parametrize(
    ("command", "name"), [case for case in OPTIONS if named(*case) and not is_flag(*case)], ids=identify
)
def test_a_value_that_is_missing(command, name):
    for spelled in declared(command, name).names:
        assert spelled in refusal(*command.split(), spelled)
        line = refusal(*command.split(), spelled, "--quiet")
        assert line == f"{declared(command, name).names[-1]}: needs a value, and --quiet is an option"


@pytest.mark.parametrize(("command", "name"), [case for case in OPTIONS if is_flag(*case)], ids=identify)
def test_a_value_for_what_takes_none(command, name):
    for spelled in declared(command, name).spelling.split("/"):
        assert spelled in refusal(*command.split(), f"{spelled}=yes")


@pytest.mark.parametrize(
    ("command", "name"),
    [case for case in OPTIONS if named(*case) and not is_flag(*case) and not repeats(*case)],
    ids=identify,
)
def test_what_takes_one_value_is_given_once(command, name):
    found = declared(command, name)
    for first, second in product(found.names, repeat=2):
        once, twice = acceptable(command, name), acceptable(command, name)
        line = refusal(*command.split(), first, once, second, twice)
        assert line == f"{found.names[-1]}: given more than once"


@pytest.mark.parametrize(
    ("command", "name"), [case for case in OPTIONS if "/" in declared(*case).spelling], ids=identify
)
def test_on_and_off_at_once(command, name):
    on, off = declared(command, name).spelling.split("/")
    for words in ((on, off), (off, on), (on, on)):
        assert refusal(*command.split(), *words) == f"{on}, {off}: given more than once"


def test_what_may_be_repeated(checkpoint):
    found = {name for command, name in OPTIONS if repeats(command, name)}
    assert found == {"ckpt", "data", "eval_data", "target"}
    status, out, err = run(
        "eval", "--ckpt", checkpoint, "--ckpt", checkpoint, "--data", "digits", "-n", "20", "-q", "-q"
    )
    assert status == 0 and out.count('"clean"') == 2, err


@pytest.mark.parametrize("words", [["trian"], ["theory", "gausian"], ["--no-such"], ["theory", "--no-such"]])
def test_commands_that_there_are_not(words):
    refusal(*words)
