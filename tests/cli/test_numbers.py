"""Whatever is not plainly a number is refused in one line that names the option, by every option that takes one."""

from collections.abc import Iterator
from typing import get_args

import pytest
from in_process import COMMANDS, read, refusal

from advtool.cli.theory import values
from advtool.errors import UsageError
from advtool.options import declarations, types

MEANT = {" 5": 5, "5 ": 5, "+5": 5, "007": 7, "-0": 0, "1e2": 100, "5.": 5}
"""What a text can only mean; where it is no value of the option it may be refused."""

NONE = ("", " ", "²", "٣", "１", "½", "Ⅷ", "1_000", "0x10", "1e400", "-1e400", "nan", "-nan", "infinity")
NONE += (
    "1/0",
    "8//255",
    "1/2/3",
    "/",
    "1/",
    "1_0/2",
    "٣/4",
    "+",
    "--",
    "1e",
    "5 5",
    "five",
    "9" * 5000 + "x",
    "9" * 5000 + "/0",
)
"""What is no number, though Python takes some of them for one."""


def numeric() -> Iterator[tuple[str, str]]:
    """(command, field) of every option that takes numbers."""
    for command, kind in COMMANDS.items():
        hints = types(kind)
        for name, declared in declarations(kind).items():
            parts = get_args(hints[name]) or (hints[name],)
            if declared.names and {int, float} & {*parts} and bool not in parts:
                yield command, name


NUMERIC = list(numeric())


def flag(command: str, name: str) -> str:
    return declarations(COMMANDS[command])[name].spelling


def test_there_are_such_options_in_every_command_that_has_numbers():
    assert {command for command, _ in NUMERIC} == {*COMMANDS}
    assert len(NUMERIC) > 100


@pytest.mark.parametrize(("command", "name"), NUMERIC, ids=lambda value: value.replace(" ", "-"))
def test_what_is_no_number_is_refused_by_name(command, name):
    option = flag(command, name)
    for text in NONE:
        if text == "infinity" and declarations(COMMANDS[command])[name].parse is values.lams:
            continue
        line = refusal(*command.split(), f"{option}={text}")
        assert line.startswith(option) and len(line) < 300, f"{option}={text[:20]!r}: {line}"


@pytest.mark.parametrize(("command", "name"), NUMERIC, ids=lambda value: value.replace(" ", "-"))
def test_what_is_read_is_what_was_meant(command, name):
    option = flag(command, name)
    for text, meant in MEANT.items():
        try:
            value = read(command, f"{option}={text}")[name]
        except UsageError:
            assert refusal(*command.split(), f"{option}={text}").startswith(option)
        else:
            assert value in (meant, (meant,)) and str(value)[0] != "-", f"{option}={text!r}: {value}"


@pytest.mark.parametrize("number", ["9" * 20, "-" + "9" * 5000])
@pytest.mark.parametrize(("command", "name"), [case for case in NUMERIC if types(COMMANDS[case[0]])[case[1]] is int])
def test_a_whole_number_that_is_too_large_is_refused_in_a_short_line(command, name, number):
    line = refusal(*command.split(), flag(command, name), number)
    assert line.startswith(flag(command, name)) and len(line) < 300


@pytest.mark.parametrize(
    "arguments",
    [
        ("relabel", "--keep", "{}"),
        ("relabel", "--keep", "3,{}"),
        ("explain", "--method", "large-eps", "--target", "{}", "--ckpt", "CHECKPOINT"),
        ("eval", "--normalize", "{}/1", "--arch", "linear", "--ckpt", "CHECKPOINT"),
        ("train", "--arch", "wrn-{}-1", "--dry-run"),
        ("train", "--hidden", "{}", "--arch", "mlp"),
        ("train", "--device", "cpu:{}"),
        ("train", "--augment", "{}"),
    ],
    ids=lambda arguments: " ".join(arguments),
)
@pytest.mark.parametrize("text", ["²", "٣", "1_0", "9" * 5000, "-1", "nan"], ids=lambda text: text[:5])
def test_numbers_in_names(arguments, text, checkpoint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = [str(checkpoint) if word == "CHECKPOINT" else word.format(text) for word in arguments]
    assert refusal(*words, "--data", "digits")
    assert not list(tmp_path.iterdir())
