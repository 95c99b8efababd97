"""What does not go together is refused by name, also from Python."""

import pytest

from advtool.errors import UsageError
from advtool.evaluation.plan import Evaluation

L2 = {"adv": "l2", "eps": 0.5}


@pytest.mark.parametrize(
    ("asked", "parameter"),
    [
        ({"eps": 0.5}, "eps"),
        ({"attack": "autoattack"}, "attack"),
        ({"steps": 5}, "steps"),
        ({"steps": (5, 10)}, "steps"),
        ({"step_size": 0.0}, "step_size"),
        ({"random_start": False}, "random_start"),
        ({"restarts": 2}, "restarts"),
        ({"loss": "ce"}, "loss"),
        ({"lam": 2.0}, "lam"),
        ({"search_step_size": True}, "search_step_size"),
        ({"base": "b"}, "base"),
        ({"per_sample": "p"}, "per_sample"),
        ({"adv": "l2"}, "eps"),
        ({"adv": "l3", "eps": 1}, "adv"),
        ({"adv": "linf", "eps": 8}, "eps"),
        ({**L2, "eps": -1.0}, "eps"),
        ({**L2, "lam": -1.0}, "lam"),
        ({**L2, "attack": "pdg"}, "attack"),
        ({"adv": "linf", "eps": 0.1, "attack": "cw"}, "attack"),
        ({**L2, "attack": "fgsm", "steps": 77}, "steps"),
        ({**L2, "attack": "apgd", "step_size": 9}, "step_size"),
        ({**L2, "attack": "fgsm,cw", "restarts": 9}, "restarts"),
        ({**L2, "loss": "dlr"}, "loss"),
        ({**L2, "attack": "apgd", "steps": (5, 10)}, "steps"),
        ({**L2, "attack": "pgd,fgsm", "steps": (5, 10)}, "steps"),
        ({**L2, "steps": (5, 10), "restarts": 7}, "restarts"),
        ({**L2, "search_step_size": True, "restarts": 7}, "restarts"),
        ({**L2, "steps": (5, 10), "per_sample": "p"}, "per_sample"),
        ({**L2, "search_step_size": True, "per_sample": "p"}, "per_sample"),
        ({**L2, "attack": "autoattack", "search_step_size": True}, "search_step_size"),
        ({**L2, "steps": (5, 10), "base": "b"}, "base"),
        ({**L2, "search_step_size": True, "base": "b"}, "base"),
        ({**L2, "per_sample": "p", "base": "b"}, "base"),
    ],
    ids=str,
)
def test_it_is_refused_by_name(asked, parameter):
    with pytest.raises(UsageError) as error:
        Evaluation.of(**asked)
    assert error.value.parameter == parameter and "--" not in str(error.value)


def test_plans():
    assert Evaluation.of().stages == () and Evaluation.of(adv="none", restarts=1).passes == 1
    plan = Evaluation.of(adv="l2", eps=[0.25, 0.5], attack="fgsm,pgd", steps=3, lam=2)
    assert [stage.ball.eps for stage in plan.stages] == [0.25, 0.5] and plan.passes == 3 and not plan.plateau
    assert [attack.name for attack in plan.attacks] == ["fgsm", "pgd"]
    curve = Evaluation.of(adv="l2", eps=[0.25, 0.5], steps=[9, 1, 3], step_size=0.1)
    assert [stage.read_at for stage in curve.stages] == [(1, 3, 9)] * 2 and curve.passes == 7 and curve.plateau
    search = Evaluation.of(adv="l2", eps=0.5, search_step_size=True)
    assert search.searches and not search.plateau and len(search.stages[0].candidates) == 5


@pytest.mark.parametrize(
    ("attack", "adv", "classes", "said"),
    [
        ("autoattack", "l2", 10, None),
        ("autoattack", "l1", 9, "9 classes: fab-t has 8 of 9 targets"),
        ("autoattack", "linf", 5, "5 classes: apgd-t has 4 of 9 targets; fab-t has 4 of 9 targets"),
        (
            "autoattack-plus",
            "l2",
            2,
            "2 classes: apgd-t has 1 of 9 targets; fab-t has 1 of 9 targets; "
            "apgd-dlr and apgd-t follow differences of logits, not their ratio",
        ),
        ("autoattack-rand", "l2", 2, "2 classes: apgd-dlr follows differences of logits, not their ratio"),
        ("apgd-t", "l2", 2, None),
    ],
)
def test_what_autoattack_does_for_want_of_classes_is_said(attack, adv, classes, said):
    assert Evaluation.of(adv=adv, eps=0.5, attack=attack).few(classes) == said
