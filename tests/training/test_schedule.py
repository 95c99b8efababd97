import pytest
import torch

from advtool.training.schedule import factor

TOTAL = 50


def rates(scheduler_of) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = scheduler_of(optimizer)
    found = []
    for _ in range(TOTAL):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


def test_cosine_is_torchs():
    expected = rates(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, TOTAL))
    assert [factor("cosine", step, TOTAL) for step in range(TOTAL)] == pytest.approx(expected)


def test_one_cycle_is_torchs():
    expected = rates(lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 1.0, total_steps=TOTAL + 1))[:TOTAL]
    found = [factor("one-cycle", step, TOTAL + 1) for step in range(TOTAL)]
    assert found == pytest.approx(expected)


def test_steps_are_torchs():
    expected = rates(lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [20, 40], 0.2))
    assert [factor("step", step, TOTAL, [0.4, 0.8], 0.2) for step in range(TOTAL)] == pytest.approx(expected)


def test_constant_and_the_shortest_runs():
    assert factor("constant", 3, 10) == 1
    for schedule in ("constant", "step", "cosine", "one-cycle"):
        assert factor(schedule, 0, 1) == 1
        assert all(0 <= factor(schedule, step, 2) <= 1 for step in range(2))


def test_a_schedule_that_is_only_a_name_is_an_error():
    with pytest.raises(ValueError, match="no schedule warm"):
        factor("warm", 1, 10)
