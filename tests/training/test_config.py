import pytest

from advtool.errors import UsageError
from advtool.threat import Threat
from advtool.training.config import TrainConfig, resolve

DIGITS = (1, 8, 8)


def against(objective: str = "pgd", **changes) -> Threat:
    return Threat.training("linf", 0.1, objective=objective, **changes)


@pytest.mark.parametrize(
    ("wanted", "threat", "message"),
    [
        ({"objective": "tradse"}, against(), "did you mean"),
        ({"objective": "trades"}, None, "--objective needs --adv"),
        ({"attack_correct_only": True}, None, "--attack-correct-only needs --adv"),
        ({"eps_warmup": 1.0}, None, "--eps-warmup needs --adv"),
        ({"noise": 0.1}, against(), "leave out --adv"),
        ({"objective": "trades", "lam": 2.0}, against(), "--lam is for --objective pgd or fast, not trades"),
        ({"beta": 2.0}, against(), "--beta is for --objective trades or mart"),
        ({"objective": "fast", "replays": 2}, against("fast"), "--replays is for --objective free"),
        ({"objective": "fast"}, against("fast", steps=7), "--steps 7"),
        ({"objective": "free"}, against("free", random_start=True), "--random-start"),
        ({"objective": "mart", "label_smoothing": 0.1}, against(), "--label-smoothing"),
        ({"select": "best"}, None, "--select best needs --val"),
        ({"select": "first", "val": 0.1}, None, "--select"),
        ({"lr_drops": (9,)}, None, "--lr-drops"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(wanted, threat, message):
    with pytest.raises(UsageError, match=message):
        resolve(wanted, 5, threat, DIGITS, False)


def test_defaults_of_the_objectives():
    assert resolve({}, None, None, DIGITS, False)["select"] == "last"
    assert resolve({"val": 0.1}, None, None, DIGITS, False)["select"] == "best"
    assert resolve({"objective": "trades"}, None, against(), DIGITS, False)["beta"] == 6
    mart = resolve({"objective": "mart"}, None, against(), DIGITS, False)
    assert (mart["beta"], mart["label_smoothing"]) == (5, 0)


def test_free_makes_fewer_epochs():
    free = {"objective": "free"}
    assert resolve(free, 10, against("free"), DIGITS, False)["epochs"] == 3
    assert resolve(free | {"replays": 2}, 10, against("free"), DIGITS, False)["epochs"] == 5
    colour = resolve(free | {"replays": 10}, None, against("free"), (3, 32, 32), True)
    assert (colour["epochs"], colour["lr_drops"]) == (15, (5, 10))
    assert resolve({}, 10, against(), DIGITS, False)["epochs"] == 10


def test_no_weight_on_the_attack_is_standard_training():
    settings = resolve({"lam": 0.0}, 1, against(), DIGITS, False)
    assert not TrainConfig(**settings, threat=against()).attacks and settings["label_smoothing"] == 0
