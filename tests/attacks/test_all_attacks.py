"""What every attack promises, so that one can stand for another."""

import inspect

import pytest
import torch
from attack_problems import Curved, batch, check_contained, linear_problem, snapshot, survivors

import advtool.attacks
from advtool import norms, registry
from advtool.errors import AdvtoolError, UsageError

EPS = {"l2": 0.5, "linf": 0.05, "l1": 2.0, "l0": 6}
QUICK = {"steps": 8}
CASES = [(attack.name, norm) for attack in registry.ATTACKS.values() for norm in EPS if norm in attack.made_for()]
every_attack = pytest.mark.parametrize(("name", "norm"), CASES)


def planned(name: str, norm: str, eps: float | None = None, **asked) -> registry.Planned:
    attack = registry.get(name)
    options = {key: value for key, value in {**QUICK, **asked}.items() if key in attack.takes}
    if norm == "l0":
        options.pop("restarts", None)  # there are no random points in it
    return attack.plan(norms.ball(norm, EPS[norm] if eps is None else eps), options)


def problem():
    return Curved().train(), *batch()


@every_attack
@pytest.mark.parametrize("gradients_off", [torch.no_grad, torch.inference_mode])
def test_it_works_where_gradients_are_off(name, norm, gradients_off):
    model, x, y = problem()
    attack = planned(name, norm)
    expected = attack(model, x, y)
    with gradients_off():
        found = attack(model, x.clone(), y.clone())
        assert torch.equal(found, expected)


@every_attack
def test_what_it_returns_has_no_graph_and_can_be_trained_on(name, norm):
    model, x, y = problem()
    leaf = x.clone().requires_grad_(True)
    found = planned(name, norm)(model, leaf, y)
    assert not found.requires_grad and leaf.grad is None
    assert torch.equal(found, planned(name, norm)(model, x, y))
    model(found).sum().backward()


@every_attack
@pytest.mark.parametrize("fails", [False, True])
def test_the_model_and_the_inputs_are_left_as_they_were(name, norm, fails):
    model, x, y = problem()
    model.body[0].weight.requires_grad_(False)
    model.body[1].eval()
    if fails:
        model.body[5].bias.data.fill_(float("nan"))
    before, original = snapshot(model), x.clone()
    if fails:
        with pytest.raises(AdvtoolError, match="not finite"):
            planned(name, norm)(model, x, y)
    else:
        planned(name, norm)(model, x, y)
    assert str(snapshot(model)) == str(before) and torch.equal(x, original)


@every_attack
@pytest.mark.parametrize("scale", [1e-3, 1, 10])
def test_it_stays_in_the_ball_and_in_the_box(name, norm, scale):
    model, x, y = problem()
    eps = min(EPS[norm] * scale, 1) if norm == "linf" else EPS[norm] * scale
    eps = round(eps) if norm == "l0" else eps
    check_contained(planned(name, norm, eps, restarts=2)(model, x.round(), y), x.round(), norm, eps)
    check_contained(planned(name, norm, eps, targeted=True)(model, x, y), x, norm, eps)


@every_attack
def test_neither_order_nor_batch_matters(name, norm):
    model, x, y = problem()
    ids, order = torch.arange(100, 100 + len(x)), torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    attack = planned(name, norm, restarts=2)
    whole = attack(model, x, y, ids=ids, seed=4)
    shuffled = attack(model, x[order], y[order], ids=ids[order], seed=4)
    parts = [attack(model, *(t[i : i + 5] for t in (x, y)), ids=ids[i : i + 5], seed=4) for i in range(0, len(x), 5)]
    assert torch.allclose(shuffled, whole[order], atol=2e-4) and torch.allclose(torch.cat(parts), whole, atol=2e-4)


@every_attack
def test_no_radius_is_no_perturbation_and_no_step_is_no_step(name, norm):
    model, x, y = problem()
    assert torch.equal(planned(name, norm, 0.0)(model, x, y), x)
    if "steps" not in registry.get(name).takes:
        return
    still = planned(name, norm, steps=0, random_start=False)
    assert still.options["steps"] == 0
    found = still(model, x, y)
    # Auto-PGD, and `fast` with it, looks at its random start, which is no step.
    assert torch.equal(found, x) or registry.get(name).function.startswith(
        ("advtool.attacks.apgd", "advtool.attacks.fast")
    )
    check_contained(found, x, norm, EPS[norm])


@every_attack
def test_success_in_bfloat16_is_success(name, norm):
    model, x, y = problem()
    check_contained(planned(name, norm)(model, x, y, amp=True), x, norm, EPS[norm])


@every_attack
def test_it_breaks_what_is_near_and_not_what_is_far(name, norm):
    if norm == "l0":
        pytest.skip("a component of these is enough")
    model, x, y, distances = linear_problem(20, 64)
    x = x.view(-1, 1, 8, 8)
    steps = {"square": 400, "cw": 400, "ddn": 200, "fmn": 200}.get(name, 30)
    eps = float(distances[norm].quantile(0.5)) * 1.0005
    survives = survivors(model, planned(name, norm, eps, steps=steps)(model, x, y), y)
    far, near = distances[norm] > eps * 1.001, distances[norm] < eps * 0.5
    assert survives[far].all() and not survives[near].any()


@pytest.mark.parametrize(
    "name", [name for name, attack in registry.ATTACKS.items() if attack.minimal and "l2" in attack.made_for()]
)
def test_without_a_radius_the_smallest_perturbation_is_returned_and_with_one_it_is_shortened(name):
    model, x, y, distances = linear_problem(20, 64)
    x, attack = x.view(-1, 1, 8, 8), registry.get(name)
    free = attack.plan(norms.ball("l2"), {"steps": 300})(model, x, y)
    size = norms.ball("l2").norm(free - x)
    assert not survivors(model, free, y).any() and (size / distances["l2"]).max() < 2
    eps = float(size.quantile(0.5))
    held = attack.plan(norms.ball("l2", eps), {"steps": 300})(model, x, y)
    check_contained(held, x, "l2", eps)
    assert not survivors(model, held, y)[size <= eps].any() and survivors(model, held, y).any()


@every_attack
def test_the_registry_says_what_the_function_takes(name, norm):
    attack = registry.get(name)
    parameters = inspect.signature(attack.load()).parameters
    keyword_only = {key for key, value in parameters.items() if value.kind is value.KEYWORD_ONLY}
    assert {"ids", "seed", "amp"} <= keyword_only
    assert list(parameters)[:4] == ["model", "inputs", "labels", "ball"]
    assert attack.takes - {"base"} == (keyword_only & {*registry.OPTIONS}) - attack.fixed.keys()
    assert ("base" in attack.takes) == ("allowed" in keyword_only)
    assert attack.load().__name__ in advtool.attacks.__all__


@every_attack
def test_attacks_with_a_ball_need_one_of_a_radius_and_of_their_norm(name, norm):
    attack, (model, x, y) = registry.get(name), problem()
    unbounded = norms.ball(norm)
    if attack.minimal:
        attack.plan(unbounded)
    else:
        with pytest.raises(UsageError, match="eps: .*radius"):
            attack.plan(unbounded)
        with pytest.raises(UsageError, match="eps: .*radius"):
            attack.load()(model, x, y, unbounded)
    if attack.norms == ("l2",):
        with pytest.raises(UsageError, match="linf"):
            attack.plan(norms.ball("linf", 0.1))
        with pytest.raises(UsageError, match="linf"):
            attack.load()(model, x, y, norms.ball("linf", 0.1))
