import pytest

from advtool.errors import UsageError
from advtool.training.config import ReachWarning, TrainConfig, resolve
from advtool.training.options import Training

DIGITS, COLOUR = (1, 8, 8), (3, 32, 32)
LINF = {"adv": "linf", "eps": 0.1}


def resolved(shape=DIGITS, mirrored=False, **asked) -> TrainConfig:
    return resolve(Training(**asked), shape, mirrored)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (LINF | {"objective": "tradse"}, "did you mean"),
        ({"objective": "trades"}, "objective: is for --adv l2, linf or l1"),
        ({"attack_correct_only": True}, "attack_correct_only: is for --adv"),
        ({"eps_warmup": 1.0}, "eps_warmup: is for --adv"),
        ({"adv": "l2"}, "is needed with an adversary"),
        ({"adv": "linf", "eps": 8}, "8/255"),
        (LINF | {"objective": "trades", "noise": 0.1}, "noise: is for --objective pgd"),
        (
            LINF | {"objective": "trades", "lam": 2.0},
            "lam: is for --objective pgd, fast or n-fgsm, not",
        ),
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
    assert resolved(epochs=10, **free).epochs == 2
    assert resolved(epochs=10, replays=2, **free).epochs == 5
    colour = resolved(COLOUR, True, replays=10, **free)
    assert (colour.epochs, colour.lr_drops) == (21, (10, 15))
    assert resolved(epochs=10, **LINF).epochs == 10


def test_no_weight_on_the_attack_is_standard_training():
    settings = resolved(lam=0.0, epochs=1, **LINF)
    assert not settings.attacks and settings.label_smoothing == 0


@pytest.mark.parametrize(
    ("objective", "expected"),
    [  # of the authors' programs: epochs, rate, decay, drops, schedule; steps and their length for eps 0.031
        ("pgd", (150, 0.1, 5e-4, (50, 100), "step", 7, 0.031 / 4)),  # robustness/defaults.py
        ("trades", (76, 0.1, 2e-4, (75,), "step", 10, 0.007)),  # train_trades_cifar10.py
        ("mart", (120, 0.01, 3.5e-3, (75, 90, 100), "step", 10, 0.007)),  # train_resnet.py
        ("fast", (15, 0.2, 5e-4, (), "triangle", 1, 1.25 * 0.031)),  # train_fgsm.py
        ("n-fgsm", (30, 0.2, 5e-4, (), "triangle", 1, 0.031)),
        ("free", (26, 0.1, 2e-4, (13, 19), "step", 1, 0.031)),  # free_adv_train: 80,000 steps of 128, 8 replays
    ],
)
def test_each_method_is_as_its_authors_published_it(objective, expected):
    found = resolved(COLOUR, True, objective=objective, adv="linf", eps=0.031)
    settings = (found.epochs, found.lr, found.weight_decay, found.lr_drops, found.schedule)
    assert (*settings, found.threat.steps) == expected[:-1]
    assert found.threat.step_size == pytest.approx(expected[-1])
    assert (found.batch_size, found.momentum, found.optimizer, found.augment) == (128, 0.9, "sgd", "crop+flip")


def test_large_images_have_the_recipe_of_imagenet():
    found = resolved((3, 224, 224), True)
    assert (found.batch_size, found.weight_decay, found.lr_drops) == (256, 1e-4, (50, 100))


def test_adam_has_no_decay_that_does_nothing():
    assert resolved().weight_decay == 0 and resolved(weight_decay=0.1).weight_decay == 0.1


@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize("objective", ["pgd", "trades", "mart"])
def test_few_steps_reach_the_sphere(norm, objective):
    for steps in range(1, 12):
        threat = resolved(adv=norm, eps=0.3, objective=objective, steps=steps).threat
        assert threat.reach >= 1.4 * 0.3
    assert resolved(adv=norm, eps=0.3, steps=2).threat.step_size == pytest.approx(0.375)


def test_an_adversary_that_falls_short_is_warned_of():
    with pytest.warns(ReachWarning, match="falls short of eps 0.1: 3 steps of 0.02 go 0.06 far"):
        resolved(steps=3, step_size=0.02, **LINF)


def test_a_radius_that_would_never_be_reached_is_refused():
    with pytest.raises(UsageError, match="eps_warmup"):
        resolved(epochs=4, eps_warmup=5.0, **LINF)
    assert resolved(epochs=4, eps_warmup=4.0, **LINF).eps_warmup == 4
    assert resolved(epochs=16, eps_warmup=16.0, objective="free", **LINF).epochs == 2
    with pytest.raises(UsageError, match="never be reached in 16"):
        resolved(epochs=16, eps_warmup=17.0, objective="free", **LINF)
