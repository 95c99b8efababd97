"""A run goes on from the state that it left, and from no other."""

import copy
import math

import pytest
import torch

from advtool.data.sources import resolve
from advtool.errors import AdvtoolError
from advtool.training.options import Training
from advtool.training.run import TrainingRun
from advtool.training.state import State, StateFile

KINDS = {
    "adam": {},
    "sgd": {"optimizer": "sgd", "lr": 0.05},
    "average": {"ema_decay": 0.9},
    "best": {"val": 0.2, "select": "best"},
    "free": {"objective": "free", "replays": 2},
    "fast": {"objective": "fast"},
}


def make(kind: str = "adam", **more) -> TrainingRun:
    threat = {"adv": "linf", "eps": 0.1} | ({} if kind == "fast" else {"steps": 1} if kind != "free" else {})
    options = {"arch": "mlp", "hidden": (8,), "epochs": 4, "limit": 200, "batch_size": 64, **threat}
    return TrainingRun(resolve("digits"), Training(**{**options, **KINDS[kind], **more}), torch.device("cpu"))


@pytest.fixture(scope="module")
def states() -> dict[str, State]:
    """After the second of four epochs (the free objective counts its replays)."""
    found = {}
    for kind in KINDS:
        saved: list[State] = []
        make(kind).fit(save=saved.append)
        found[kind] = saved[1 if len(saved) > 2 else 0]
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_run_left_is_taken(tmp_path, states, kind):
    straight, resumed = make(kind), make(kind)
    file = StateFile(tmp_path / "m", straight.resolved())
    file.write(states[kind])
    straight.fit()
    resumed.fit(start=file.read())
    assert straight.to_bytes({}) == resumed.to_bytes({})


def drop(part: str, name: str | None = None):
    def change(state: State) -> None:
        if name is None:
            state.parts[part].clear()
        else:
            del state.parts[part][name]

    return change


def put(part: str, name: str, value):
    def change(state: State) -> None:
        old = state.parts[part].get(name)
        state.parts[part][name] = value(old) if callable(value) else value

    return change


def rename(part: str, old: str, new: str):
    def change(state: State) -> None:
        state.parts[part][new] = state.parts[part].pop(old)

    return change


def history(function):
    def change(state: State) -> None:
        object.__setattr__(state, "history", tuple(function([*state.history])))

    return change


def record(**changes):
    return history(lambda records: [*records[:-1], {**records[-1], **changes}])


def nan(old: torch.Tensor) -> torch.Tensor:
    return torch.full_like(old, math.nan)


TAMPERED = [
    ("adam", "history is empty", history(lambda records: [])),
    ("adam", "history has 5 epochs", history(lambda records: [{**records[0], "epoch": n + 1} for n in range(5)])),
    ("adam", "epoch 2", history(lambda records: [records[0], records[0]])),
    ("adam", "epoch 1", history(lambda records: records[1:])),
    ("adam", "epoch 1", history(lambda records: [1, 2])),
    ("adam", "epoch 2 lacks loss", history(lambda records: [records[0], {"epoch": 2}])),
    ("adam", "loss is not a finite number", record(loss=math.nan)),
    ("adam", "loss is not a finite number", record(loss="0")),
    ("adam", "clean_accuracy is not between", record(clean_accuracy=2.0)),
    ("adam", "unknown more", record(more=1)),
    ("adam", "collapsed", record(collapsed=1)),
    ("adam", "after the end", history(lambda records: [{**records[0], "collapsed": True}, records[1]])),
    ("adam", "optimizer lacks 0/exp_avg", drop("optimizer")),
    ("adam", "optimizer lacks 1/step", drop("optimizer", "1/step")),
    ("adam", "optimizer lacks 0/exp_avg$|0/exp_avg;", drop("optimizer", "0/exp_avg")),
    ("adam", "lacks 0/exp_avg", rename("optimizer", "0/exp_avg", "9/exp_avg")),
    ("adam", "lacks 0/exp_avg", rename("optimizer", "0/exp_avg", "x")),
    ("adam", "unknown 0/other|lacks", rename("optimizer", "0/exp_avg", "0/other")),
    ("adam", "unknown parameter -1", put("optimizer", "-1/exp_avg", torch.zeros(1))),
    ("adam", "has the shape", put("optimizer", "0/exp_avg", torch.zeros(3))),
    ("adam", "not finite", put("optimizer", "0/exp_avg", nan)),
    ("adam", "is negative", put("optimizer", "0/exp_avg_sq", lambda old: -1 - old)),
    ("adam", "step is 7000", put("optimizer", "0/step", torch.tensor(7000.0))),
    ("adam", "step is not a number", put("optimizer", "0/step", torch.zeros(2))),
    ("sgd", "optimizer lacks 0/momentum_buffer", drop("optimizer")),
    ("adam", "model lacks", drop("model")),
    ("adam", "model has an unknown x", put("model", "x", torch.zeros(1))),
    ("adam", "has the shape", put("model", "1.weight", lambda old: old[:1])),
    ("adam", "is torch.float64", put("model", "1.weight", lambda old: old.double())),
    ("adam", "not finite", put("model", "1.weight", nan)),
    ("adam", "kept has an unknown", put("kept", "1.weight", torch.zeros(1))),
    ("average", "average lacks", drop("average")),
    ("average", "kept lacks", drop("kept")),
    ("best", "lacks validation", history(lambda records: [{"epoch": 1, "loss": 1.0}, {"epoch": 2, "loss": 1.0}])),
    ("best", "validation is not a mapping", record(validation=0.5)),
    ("free", "objective lacks delta", drop("objective")),
    ("free", "has the shape", put("objective", "delta", torch.zeros(3, 1, 8, 8))),
    ("free", "not finite", put("objective", "delta", nan)),
    ("fast", "lacks pgd_accuracy", history(lambda r: [{k: v for k, v in x.items() if k[0] != "p"} for x in r])),
]


@pytest.mark.parametrize(("kind", "fault", "change"), TAMPERED)
def test_any_other_state_is_refused_by_name(tmp_path, states, kind, fault, change):
    run, state = make(kind), copy.deepcopy(states[kind])
    change(state)
    file = StateFile(tmp_path / "m", run.resolved())
    with pytest.raises((AdvtoolError, ValueError)) as raised:
        file.write(state)
        run.fit(start=file.read())
    if isinstance(raised.value, AdvtoolError):
        assert raised.match(fault) and raised.match(r"m\.state: not as this run left it: .*; -f starts anew")
    else:
        raised.match("JSON")  # no state with NaN in its history can be written
        with pytest.raises(AdvtoolError, match=fault):
            run.fit(start=state)
