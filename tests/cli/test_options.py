"""Every option of every command under every choice that it may depend on: it is used, or refused by name."""

import contextlib
import inspect
import io
import json
import os
import shlex
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import pytest

from advtool import registry
from advtool.cli.attack import Attack
from advtool.cli.certify import Certify
from advtool.cli.data import Data
from advtool.cli.distill import Distill
from advtool.cli.evaluate import Evaluate
from advtool.cli.explain import Explain
from advtool.cli.main import app
from advtool.cli.relabel import Relabel
from advtool.cli.train import Train
from advtool.cli.transfer import Transfer
from advtool.errors import UsageError
from advtool.options import Options, declarations, types

COMMANDS: dict[str, type[Options]] = {
    kind.command: kind for kind in (Train, Attack, Distill, Relabel, Evaluate, Certify, Explain, Data, Transfer)
}

VALUES = {
    **{"data": "more.tar", "source": "more.tar", "split": "test", "limit": "7", "data_root": "somewhere"},
    **{
        "ckpt": "other.safetensors",
        "arch": "mlp",
        "normalize": "0.4/0.3",
        "weights": "ema",
        "init": "other.safetensors",
    },
    **{"adv": "linf", "eps": "0.25", "attack": "fgsm", "steps": "3", "step_size": "0.75", "restarts": "2"},
    **{"loss": "margin", "keep": "last", "format": "png8", "shard_size": "9", "seed": "5", "device": "cpu:0"},
    **{"batch_size": "11", "max_memory": "1.5", "tol": "0.5", "layer": "1", "start": "noise"},
    **{"shift": "4", "map": "map.csv", "predict": "other.safetensors", "classes": "10", "size": "16"},
    **{"of": "logit", "baseline": "0.5", "variance": "0.5", "target": "3", "points": "5", "columns": "3"},
    **{"names": "a", "method": "smoothgrad", "lam": "0.5", "base": "other.safetensors", "per_sample": "p.jsonl"},
    **{
        "objective": "fast",
        "beta": "2",
        "replays": "2",
        "eps_warmup": "1.5",
        "noise": "0.125",
        "smooth": "0.125",
        "width": "0.5",
    },
    **{"awp": "0.0078125", "eot": "4", "calls": "30", "diversity": "0.25", "translation": "3"},
    **{"ensemble": "losses", "union": "worst"},
    **{"hidden": "8", "top_pixels": "9", "epochs": "3", "optimizer": "sgd", "lr": "0.03125", "momentum": "0.5"},
    **{"weight_decay": "0.25", "schedule": "step", "lr_drops": "1", "lr_drop_factor": "0.5"},
    **{"label_smoothing": "0.125", "augment": "crop", "ema_decay": "0.5", "val": "0.25", "select": "last"},
    **{"crop_pct": "0.5", "interpolation": "bilinear", "crop_mode": "squash"},
    **{"eval_data": "more.tar", "eval_every": "2", "test_limit": "9", "trials": "2", "workers": "3"},
    **{"accumulate": "2", "save_every": "7", "shard_index": "1", "shard_count": "3"},
    **{"image_key": "png", "label_key": "cls"},
    **{"sigma": "0.25", "n0": "50", "samples": "2000", "alpha": "0.0625", "radius": "0.125"},
}
"""A value of each option that is none of its defaults."""

ALONGSIDE = {
    "adv": ["--eps", "0.25"],
    "eval_every": ["--eval-data", "more.tar"],
    "select": ["--val", "0.25"],
    "lr_drops": ["--schedule", "step"],
    "lr_drop_factor": ["--schedule", "step"],
    "normalize": [],
    "ensemble": ["--ckpt", "other.safetensors"],
    "shard_size": ["-o", "out/"],
    "save_every": ["-o", "m.safetensors"],
    "shard_index": ["--shard-count", "3"],
    **{name: ["--size", "16"] for name in ("crop_pct", "interpolation", "crop_mode")},
}
"""What an option needs beside it."""

ATTACK_OPTIONS = {"steps", "step_size", "random_start", "restarts", "loss", "keep", "targeted", "eot"}
TRANSFER = {"momentum", "diversity", "translation"}
FOREIGN = {"arch", "normalize", "weights", "pretrained"}
ELSEWHERE = {"data_root", "download"}
OF_SHARDS = {"image_key", "label_key"}


@dataclass(frozen=True)
class Case:
    """A command with a choice, and which of its options that choice leaves without a use."""

    command: str
    entry: str
    arguments: tuple[str, ...]
    unused: frozenset[str]

    @property
    def kind(self) -> type[Options]:
        return COMMANDS[self.command]


def parameters(attack: str) -> set[str]:
    """The options that the function of an attack has and its name leaves open; read off the function itself."""
    entry = registry.ATTACKS[attack]
    return set(inspect.signature(entry.load()).parameters) & (ATTACK_OPTIONS | TRANSFER) - set(entry.fixed)


def cases() -> Iterator[Case]:
    for name, attack in registry.ATTACKS.items():
        norm = attack.made_for()[0]
        chosen = ("--attack", name, "--adv", norm, "--eps", "1" if norm == "l0" else "0.5")
        yield Case("attack", name, chosen, frozenset((ATTACK_OPTIONS | TRANSFER) - parameters(name)))
        if name in ("pgd", "di-mi-fgsm"):
            transferred = (ATTACK_OPTIONS | TRANSFER) - parameters(name) - {"keep"}
            yield Case("transfer", name, chosen, frozenset(transferred))
        lacking = ATTACK_OPTIONS - {"keep", "targeted"} - parameters(name)
        lacking |= set() if name == "pgd" else {"search_step_size"}
        lacking |= set() if attack.minimal else {"curve"}
        yield Case("eval", name, chosen, frozenset(lacking))
    attacked = ATTACK_OPTIONS - {"keep", "targeted"} | {"eps", "attack", "search_step_size"}
    yield Case("eval", "clean", (), frozenset(attacked | {"lam", "base", "per_sample", "calls", "curve"}))
    curve = ("--adv", "l2", "--eps", "0.5", "--steps", "2,4", "--attack", "pgd")
    yield Case("eval", "curve", curve, frozenset({"restarts", "base", "per_sample", "loss", "calls", "curve"}))

    own = {
        "gradient": {"of"},
        "integrated-gradients": {"of", "baseline", "steps"},
        "smoothgrad": {"of", "variance", "steps"},
        "large-eps": {"adv", "eps", "target", "steps", "step_size"},
        "interpolate": {"adv", "eps", "target", "steps", "step_size", "points"},
        "weights": set(),
    }
    every = set().union(*own.values())
    for name, taken in own.items():
        more = {"batch_size", "device", "smooth"} if name == "weights" else set()
        yield Case("explain", name, ("--method", name), frozenset((every - taken) | more))
    resizing = {"size", "crop_pct", "interpolation", "crop_mode"}
    model = {"ckpt", "arch", "normalize", "weights", "batch_size", "device"} | resizing
    yield Case("explain", "samples", ("--method", "samples"), frozenset(every | model | {"smooth"}))

    drawing, predicting = {"exclude_true", "seed"}, {"arch", "normalize", "weights", "batch_size", "device"}
    for name, value, unused in (
        ("shift", "1", drawing | predicting),
        ("random", None, predicting),
        ("map", "map.csv", drawing | predicting),
        ("keep", "3,4", drawing | predicting),
        ("predict", "model.safetensors", drawing),
    ):
        arguments = (f"--{name}", value) if value else (f"--{name}",)
        yield Case("relabel", name, arguments, frozenset(unused))

    objectives = {
        "pgd": {
            "accumulate",
            "steps",
            "step_size",
            "random_start",
            "lam",
            "attack_correct_only",
            "label_smoothing",
            "awp",
        },
        "trades": {"accumulate", "steps", "step_size", "beta", "label_smoothing", "awp"},
        "mart": {"accumulate", "steps", "step_size", "random_start", "beta", "awp"},
        "fast": {"accumulate", "step_size", "random_start", "lam", "attack_correct_only", "label_smoothing", "awp"},
        "n-fgsm": {"accumulate", "step_size", "lam", "attack_correct_only", "label_smoothing", "awp"},
        "free": {"step_size", "replays", "label_smoothing"},
    }
    every = set().union(*objectives.values()) | {"union"}
    several = ("--adv", "l2,linf", "--eps", "0.5,0.1", "--objective", "pgd")
    missing = every - objectives["pgd"] - {"union"} | {"step_size", "objective", "hidden"}
    yield Case("train", "union", several, frozenset(missing))
    for name, taken in objectives.items():
        arguments = ("--adv", "l2", "--eps", "0.5", "--objective", name)
        yield Case(
            "train", name, arguments, frozenset((every - taken) | {"hidden"} | (set() if name == "pgd" else {"noise"}))
        )
    adversarial = every - {"label_smoothing", "accumulate"} | {"eps", "objective", "eps_warmup", "test_limit", "hidden"}
    yield Case("train", "plain", (), frozenset(adversarial))
    yield Case("certify", "radii", ("--sigma", "0.5"), frozenset({"eps"}))
    smoothing = {"sigma", "n0", "samples", "alpha", "radius", "family", "bracket", "predict", "per_sample", "plot"}
    bounds = ("--adv", "linf", "--eps", "0.05")
    yield Case("certify", "bounds", bounds, frozenset(smoothing | {"seed", "batch_size"}))
    yield Case("certify", "predict", ("--sigma", "0.5", "--predict"), frozenset({"n0", "radius", "bracket", "eps"}))
    yield Case("distill", "image", (), frozenset())
    yield Case("data", "conversion", ("digits",), frozenset({"json"}))


CASES = list(cases())


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A directory with two models, a shard and a map."""
    place = tmp_path_factory.mktemp("options")
    with contextlib.chdir(place):
        for name, seed in (("model", "0"), ("other", "1")):
            arguments = ["--epochs", "0", "--arch", "linear", "--seed", seed, "-n", "50"]
            run("train", *arguments, "-o", f"{name}.safetensors")
        run("data", "digits", "-n", "60", "-o", "set.tar")
        run("data", "digits", "-n", "70", "-o", "more.tar")
        Path("map.csv").write_text("".join(f"{label},{label % 2}\n" for label in range(10)))
    return place


def run(*arguments: str) -> tuple[int, str, str]:
    """(status, stdout, error) of the command in this very process."""
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            app([*arguments], prog_name="advtool", standalone_mode=False)
    except UsageError as error:
        return 2, out.getvalue(), str(error)
    return 0, out.getvalue(), ""


def base(case: Case) -> list[str]:
    """The command line of a case without more."""
    found = [case.command, *case.arguments, "--dry-run"]
    if case.command in ("attack", "certify", "distill", "eval", "transfer") or (
        case.command == "explain" and case.entry != "samples"
    ):
        found += ["--ckpt", "model.safetensors"]
    data = "digits" if case.entry in SPLIT else "set.tar"
    return found if case.command == "data" else [*found, "--data", data]


def typed(kind: type[Options], name: str, other: dict[str, str], default: object) -> list[str]:
    """An option as it is typed, with a value that is not the default."""
    declared = declarations(kind)[name]
    flag, _, off = declared.spelling.partition("/")
    takes_value = name in VALUES and types(kind)[name] is not bool
    return [flag, {**VALUES, **other}[name]] if takes_value else [off if default is True else flag]


def resolved(case: Case, *more: str) -> dict:
    status, out, error = run(*base(case), *more)
    assert status == 0, f"{shlex.join([*base(case), *more])}: {error}"
    return json.loads(out)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.command}-{case.entry}")
def test_every_option_is_used_or_refused_by_name(case, folder, monkeypatch):
    monkeypatch.chdir(folder)
    plain, wrong = resolved(case), []
    given = set(_fields_of(base(case), case.kind))
    for name, declared in declarations(case.kind).items():
        if not declared.recorded or not declared.names or (name in given and name not in case.unused):
            continue
        if name == "ensemble" and not registry.ATTACKS[case.entry].follows_losses:
            continue
        if name in (*RIVALS.get(case.command, ()), *RIVALS.get(case.entry, ())):
            continue
        beside, other = (
            [] if name in case.unused else ALONGSIDE.get(name, []),
            OTHER.get(case.entry, OF_COMMANDS.get(case.command, {})),
        )
        line = [
            *base(case),
            *typed(case.kind, name, other, plain["options"][name]),
            *([] if given & {*_fields_of(beside, case.kind)} and name != "ensemble" else beside),
        ]
        status, out, error = run(*line)
        flag = declared.spelling.partition("/")[0]
        if name in case.unused or (name in FOREIGN | ELSEWHERE | OF_SHARDS | {"split"} and status):
            if status != 2 or flag not in error:
                wrong.append(f"not refused: {shlex.join(line)}: {status} {error}")
        elif status:
            wrong.append(f"refused: {shlex.join(line)}: {error}")
        elif _without_given(json.loads(out)) == _without_given(plain):
            wrong.append(f"changes nothing: {shlex.join(line)}")
    assert not wrong, "\n".join(wrong)


OTHER = {
    **{entry: {"split": "train"} for entry in ("clean", "curve", "gradient", "large-eps")},
    **{entry: {"of": "loss", "split": "train"} for entry in ("integrated-gradients", "smoothgrad")},
    "interpolate": {"split": "train"},
}
"""Values for choices whose defaults are those of `VALUES`."""

OF_COMMANDS = {
    **{key: {"split": "train"} for key in ("eval", "certify")},
    "transfer": {"split": "train", "target": "other.safetensors"},
}
"""The same for all choices of a command."""

SPLIT = ("clean", "image", "samples")
"""Cases with a source that has parts; the others read a small one."""

RIVALS = {
    "certify": ("adv",),
    "relabel": ("shift", "random", "map", "keep", "predict", "classes"),
    "data": ("list", "info", "verify", "data"),
    **{name: ("adv",) for name, attack in registry.ATTACKS.items() if len(attack.made_for()) == 1},
}
"""Choices that exclude one another, and what only confirms what the source says; by command, or by choice."""


def _fields_of(line: list[str], kind: type[Options]) -> Iterator[str]:
    spelled = {name: field for field, declared in declarations(kind).items() for name in declared.names}
    return (spelled[word] for word in line if word in spelled)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.command}-{case.entry}")
def test_what_a_dry_run_shows_gives_the_same_again(case, folder, monkeypatch):
    monkeypatch.chdir(folder)
    first = resolved(case)
    again = run(case.command, *words(case.kind, first["options"]), "--dry-run")
    assert again[0] == 0, again[2]
    assert _without_given(json.loads(again[1])) == _without_given(first)


def _without_given(shown: dict) -> dict:
    """What a dry run shows, but for the options that were typed."""
    return {name: value for name, value in shown.items() if name != "given"}


def words(kind: type[Options], values: dict) -> list[str]:
    """Recorded options as a command line."""
    found = []
    for name, declared in declarations(kind).items():
        value = values.get(name)
        flag, _, off = declared.spelling.partition("/")
        default = next(field.default for field in fields(kind) if field.name == name)
        if value in (None, []) or (isinstance(value, bool) and value == default):
            continue
        if not declared.names:
            found.append(value)
        elif isinstance(value, bool):
            found.append(flag if value else off)
        elif isinstance(value, list) and declared.parse is None:
            found += [word for part in value for word in (flag, str(part))]
        else:
            found += [flag, ",".join(map(str, value)) if isinstance(value, list) else str(value)]
    return found


def test_every_option_has_a_sentence_and_a_default():
    from advtool.options import help_of

    for kind in COMMANDS.values():
        defaults = {field.name: field.default for field in fields(kind)}
        for name, declared in declarations(kind).items():
            if name not in ("eps", "source"):
                text = help_of(kind, name, defaults[name])
                assert "Default: " in text or declared.needs, f"{kind.command} {name}: {text}"


def test_names_of_outputs_and_loudness_do_not_enter_the_history(folder, monkeypatch):
    monkeypatch.chdir(folder)
    made = []
    for index, place in enumerate((["-o", "a.tar"], ["-ob.tar", "-q"], ["-fo", "c.tar"], ["--out=d.tar", "-vf"])):
        assert run("relabel", "--random", "--seed", "3", *place)[0] == 0
        made.append(Path(f"{'abcd'[index]}.tar").read_bytes())
    assert len(set(made)) == 1
    assert b"advtool relabel --random --seed 3" in made[0]
    os.remove("a.tar")


@pytest.mark.parametrize(
    "line",
    [
        "train --data set.tar --arch mlp --hidden 8 --epochs 2 --adv l2 --eps 0.5 --steps 2",
        "train --data set.tar --arch linear --epochs 4 --adv linf --eps 8/255 --objective free --ema --val 0.2",
        "train --data set.tar --arch linear --epochs 3 --schedule step --optimizer sgd --noise 0.1",
        "attack --data set.tar --ckpt model.safetensors --eps 0.5 --steps 3 --targeted",
        "attack --data set.tar --ckpt model.safetensors --attack apgd --adv linf --eps 0.1 --steps 5",
        "attack --data set.tar --ckpt model.safetensors --attack ddn --steps 5",
        "distill --data set.tar --ckpt model.safetensors --steps 2",
        "relabel --data set.tar --random --exclude-true --seed 4",
    ],
)
def test_recorded_settings_give_the_same_bytes_again(line, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder)
    command, *arguments = shlex.split(line)
    options = json.loads(run(command, *arguments, "--dry-run")[1])["options"]
    first, again = tmp_path / "first", tmp_path / "again"
    assert run(command, *arguments, "-o", str(first))[0] == 0
    assert run(command, *words(COMMANDS[command], options), "-o", str(again))[0] == 0
    if command == "train":
        assert first.read_bytes() == again.read_bytes()
        return
    with tarfile.open(first) as one, tarfile.open(again) as two:
        (head, *samples), (other, *others) = ([tar.extractfile(m).read() for m in tar] for tar in (one, two))
    assert samples == others and json.loads(head)["records"] == json.loads(other)["records"]
