import pytest

from advtool.errors import UsageError
from advtool.training.config import TrainConfig, resolve
from advtool.training.options import Training

DIGITS, COLOUR = (1, 8, 8), (3, 32, 32)
LINF = {"adv": "linf", "eps": 0.1}


def resolved(shape=DIGITS, mirrored=False, **asked) -> TrainConfig:
    return resolve(Training(**asked), shape, mirrored)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (LINF | {"objective": "tradse"}, "did you mean"),
        ({"objective": "trades"}, "objective: is for --adv l2 or linf"),
        ({"attack_correct_only": True}, "attack_correct_only: is for --adv"),
        ({"eps_warmup": 1.0}, "eps_warmup: is for --adv"),
        ({"adv": "l2"}, "is needed with an adversary"),
        ({"adv": "linf", "eps": 8}, "8/255"),
        (LINF | {"noise": 0.1}, "noise: is for --adv none"),
        (LINF | {"objective": "trades", "lam": 2.0}, "lam: is for --objective pgd or fast, not for --objective trades"),
        (LINF | {"beta": 2.0}, "beta: is for --objective trades or mart"),
        (LINF | {"objective": "fast", "replays": 2}, "replays: is for --objective free"),
        (LINF | {"objective": "fast", "steps": 7}, "steps: is for"),
        (LINF | {"objective": "free", "random_start": True}, "random_start: is for"),
        (LINF | {"objective": "trades", "random_start": True}, "random_start: is for"),
        (LINF | {"objective": "mart", "label_smoothing": 0.1}, "label_smoothing: is for"),
        ({"select": "best"}, "select: needs --val"),
        ({"select": "first", "val": 0.1}, "unknown --select"),
        ({"lr_drops": (9,)}, "lr_drops: is for --schedule step, not for --schedule one-cycle"),
        ({"lr_drops": (9,), "schedule": "step", "epochs": 5}, "lr_drops 9: later than the last"),
        ({"lr_drop_factor": 0.5, "schedule": "cosine"}, "lr_drop_factor: is for --schedule step"),
        ({"lr": -1.0}, "lr -1: must be at least 0"),
        ({"momentum": 1.5}, "momentum 1.5: must be at most 1"),
        ({"lr": float("nan")}, "must be finite"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(asked, message):
    with pytest.raises(UsageError, match=message):
        resolved(**asked)


def test_defaults_of_the_objectives():
    assert resolved().select == "last" and resolved(val=0.2).select == "best"
    assert resolved(objective="trades", **LINF).beta == 6
    mart = resolved(objective="mart", **LINF)
    assert (mart.beta, mart.label_smoothing) == (5, 0)


def test_free_makes_fewer_epochs():
    free = {"objective": "free", **LINF}
    assert resolved(epochs=10, **free).epochs == 3
    assert resolved(epochs=10, replays=2, **free).epochs == 5
    colour = resolved(COLOUR, True, replays=10, **free)
    assert (colour.epochs, colour.lr_drops) == (15, (5, 10))
    assert resolved(epochs=10, **LINF).epochs == 10


def test_no_weight_on_the_attack_is_standard_training():
    settings = resolved(lam=0.0, epochs=1, **LINF)
    assert not settings.attacks and settings.label_smoothing == 0
