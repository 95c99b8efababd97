"""The default that the help of an option states is what happens without it."""

import json
import re
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest
from in_process import COMMANDS, read, run

from advtool import registry
from advtool.errors import UsageError
from advtool.options import checked, declarations, help_of, types
from advtool.training.options import OBJECTIVES
from advtool.values import plain

CHECKPOINT = ["--ckpt", "CHECKPOINT"]
ATTACKED = [
    ["--eps", "1", "--adv", attack.made_for()[0], "--attack", name, *CHECKPOINT]
    for name, attack in registry.ATTACKS.items()
]
BALL = ["--eps", "0.5", "--adv"]
CONTEXTS: dict[str, list[list[str]]] = {
    "train": [
        [],
        ["--ema", "--arch", "mlp", "--val", "0.5", "--schedule", "step"],
        *([*BALL, "linf", "--objective", name] for name in OBJECTIVES),
        [*BALL, "l2"],
    ],
    "attack": [
        *(
            ["--eps", "1", "--adv", attack.made_for()[0], "--attack", name, *CHECKPOINT]
            for name, attack in registry.ATTACKS.items()
        ),
        [*BALL, "linf", *CHECKPOINT],
        [*BALL, "linf", "--targeted", *CHECKPOINT],
    ],
    "distill": [CHECKPOINT, ["--from", "noise", *CHECKPOINT]],
    "relabel": [["--shift", "1"], ["--random"], ["--predict", "CHECKPOINT"]],
    "eval": [
        CHECKPOINT,
        *(
            ["--eps", "1", "--adv", attack.made_for()[0], "--attack", name, *CHECKPOINT]
            for name, attack in registry.ATTACKS.items()
        ),
    ],
    "certify": [
        ["--sigma", "0.25", *CHECKPOINT],
        ["--sigma", "0.25", "--predict", *CHECKPOINT],
        ["--adv", "linf", "--eps", "0.1", *CHECKPOINT],
    ],
    "transfer": [
        *(
            ["--eps", "1", "--adv", attack.made_for()[0], "--attack", name, *CHECKPOINT]
            for name, attack in registry.ATTACKS.items()
        ),
        [*BALL, "linf", *CHECKPOINT],
    ],
    "explain": [
        *(
            ["--method", name, *CHECKPOINT]
            for name in ("gradient", "smoothgrad", "integrated-gradients", "large-eps", "interpolate")
        ),
        ["--method", "samples"],
    ],
    "data": [[]],
    "theory gaussian": [["--sigma2", "7"], ["--norm", "l2", "--noise", "1"], ["--check", "--samples", "1000"]],
    "theory bernoulli": [["--eps", "0.4"], ["--table", "--n", "50", "--seeds", "1"]],
    "theory tradeoff": [["--dim", "100"]],
    "theory mle": [["--variances", "1,10"], ["--eps", "2"]],
    "theory mixture": [["--theta", "2,1"], ["--theta", "2,1", "--w", "1,2"]],
}
"""Command lines that together leave every option to its default where it has a use."""


def stated(command: str, name: str) -> str:
    """What the help says that the default is; empty if it says nothing."""
    kind = COMMANDS[command]
    default = next(field.default for field in fields(kind) if field.name == name)
    return help_of(kind, name, default).partition("Default: ")[2].removesuffix(".")


def meant(command: str, name: str, words: str, resolved: dict[str, Any]) -> list[Any]:
    """The values that words state, out of parentheses: numbers, choices, on and off, multiples of eps."""
    kind, outside = COMMANDS[command], re.sub(r"\(.*?\)", "", words)
    declared, hint = declarations(kind)[name], types(kind)[name]
    if hint is bool:
        both = " for " in outside
        return [value for word, value in (("on", True), ("off", False)) if both or word in outside.split()]
    if not (declared.choices or {int, float} & {hint, *getattr(hint, "__args__", ())}):
        return []
    return [*_read(command, name, outside), *_multiples(outside, resolved)]


def _read(command: str, name: str, words: str) -> Iterator[Any]:
    kind = COMMANDS[command]
    for word in words.split():
        try:
            yield plain(checked(declarations(kind)[name], name, types(kind)[name], word.rstrip(",;.")))
        except UsageError:
            continue


_OF_STEPS = ("eps", "steps")


def _multiples(words: str, resolved: dict[str, Any]) -> Iterator[float]:
    eps, steps = (found[0] if isinstance(found, list) and found else found for found in map(resolved.get, _OF_STEPS))
    for factor, divisor in re.findall(r"(?:([\d.]+)·)?eps(?:/(\d+|steps))?", words):
        by = steps if divisor == "steps" else int(divisor or 1)
        if eps and by:
            yield float(factor or 1) * eps / by


def given(command: str, words: list[str]) -> set[str]:
    """The fields that words name."""
    found = declarations(COMMANDS[command]).items()
    return {name for name, option in found if {*"/".join(option.names).split("/")} & {*words}}


def typed(words: list[str], checkpoint) -> list[str]:
    return [str(checkpoint) if word == "CHECKPOINT" else word for word in words]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.replace(" ", "-"))
def test_nothing_typed_is_what_the_fields_say(command):
    defaults = {field.name: field.default for field in fields(COMMANDS[command])}
    for name, value in read(command).items():
        assert (value or defaults[name]) == defaults[name], name


def test_values_are_found_in_words():
    assert meant("train", "label_smoothing", "0.3 up to 16×16 pixels, else 0 (off)", {}) == [0.3, 0]
    assert meant("train", "step_size", "eps/5; 1.25·eps for fast", {"eps": 4}) == [0.8, 5]
    assert meant("attack", "step_size", "2.5·eps/steps", {"eps": 4, "steps": 5}) == [2]
    assert meant("attack", "adv", "none", {}) == [] and meant("attack", "adv", "l2", {}) == ["l2"]
    assert meant("train", "hidden", "1024,1024", {}) == [[1024, 1024]]
    assert meant("train", "ema", "off", {}) == [False]


@pytest.mark.parametrize("command", [command for command in COMMANDS if not command.startswith("theory")])
def test_what_a_dry_run_resolves_is_a_default_that_the_help_states(command, checkpoint):
    wrong, seen = [], set()
    for context in CONTEXTS[command]:
        words = typed(context, checkpoint)
        where = [] if command == "data" else ["--data", "digits"]
        status, out, err = run(command, *words, *where, "--dry-run")
        assert status == 0, err
        resolved = json.loads(out)["options"]
        for name in resolved.keys() - given(command, words):
            values = meant(command, name, stated(command, name), resolved)
            if resolved[name] is None or not values:
                continue
            seen.add(name)
            if resolved[name] not in values:
                wrong.append(f"{' '.join(context)}: {name} is {resolved[name]}, not {stated(command, name)}")
    assert not wrong, "\n".join(wrong)
    assert seen, "nothing was compared"


@pytest.mark.parametrize("command", [command for command in COMMANDS if not command.startswith("theory")])
def test_a_default_of_its_own_is_the_one_that_is_stated(command):
    for field in fields(COMMANDS[command]):
        if field.name in declarations(COMMANDS[command]) and field.default not in (None, ()):
            values = meant(command, field.name, stated(command, field.name), {})
            assert not values or plain(field.default) in values, field.name
            assert values or isinstance(field.default, bool | str | tuple), field.name


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("theory")])
def test_theory_reports_the_same_where_a_stated_default_is_given(command):
    seen = 0
    for context in CONTEXTS[command]:
        _, plainly, _ = run(*command.split(), *context, "--json")
        assert plainly
        for name, found in declarations(COMMANDS[command]).items():
            words = stated(command, name).partition(",")[0] if name == "norm" else stated(command, name)
            if name == "config" or name in given(command, context) or types(COMMANDS[command])[name] is bool:
                continue
            try:
                checked(found, name, types(COMMANDS[command])[name], words)
            except UsageError:
                continue
            status, out, err = run(*command.split(), *context, found.spelling, words, "--json")
            if status == 0 and name not in ("plot", "samples"):
                assert out == plainly, f"{' '.join(context)} {found.spelling} {words}"
                seen += 1
            else:
                assert status == 2 or name in ("plot", "samples"), err
    assert seen
