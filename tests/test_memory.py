"""A batch that does not fit into memory is halved, and nothing else changes."""

from itertools import chain

import pytest
import torch
from evaluation_problems import SETTINGS, digits, linear

from advtool import memory
from advtool.evaluation.measure import measure
from advtool.evaluation.plan import Evaluation
from advtool.memory import MemoryWarning, in_halves


@pytest.fixture(autouse=True)
def afresh(monkeypatch):
    monkeypatch.setattr(memory._Limit, "at_most", None)


def fitting(most: int, error: Exception):
    """Work that takes at most so many images, and notes how many it was given."""
    sizes = []

    def compute(part: slice) -> list[int]:
        sizes.append(part.stop - part.start)
        if sizes[-1] > most:
            raise error
        return list(range(part.start, part.stop))

    return compute, sizes


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you"
                     " tried to allocate 80 bytes. Error code 12 (Cannot allocate memory): not enough memory"),
        MemoryError(),
    ],
    ids=["cuda", "cpu", "python"],
)  # fmt: skip
def test_what_does_not_fit_is_halved_and_stays_so(error):
    compute, sizes = fitting(3, error)
    with pytest.warns(MemoryWarning, match="at a time from here on") as said:
        assert [*chain(*in_halves(compute, 10))] == list(range(10))
    assert sizes == [10, 5, 2, 2, 2, 2, 2] and len(said) == 2
    assert [*chain(*in_halves(compute, 5))] == list(range(5)) and sizes[7:] == [2, 2, 1]


@pytest.mark.parametrize(("most", "error"), [(0, MemoryError()), (5, RuntimeError("shapes differ"))])
@pytest.mark.filterwarnings("ignore")
def test_one_image_that_does_not_fit_and_other_errors_are_raised(most, error):
    compute, _ = fitting(most, error)
    with pytest.raises(type(error)):
        in_halves(compute, 8)


class Small(torch.nn.Module):
    """A model that takes 16 images at a time."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        if len(x) > 16:
            raise torch.OutOfMemoryError("out of memory")
        return self.net(x)


@pytest.mark.parametrize("attack", ["pgd", "apgd-t,square"])
def test_an_evaluation_comes_to_the_same_counts(attack):
    net, images = linear(), digits(60)
    plan = Evaluation.of(adv="l2", eps=0.5, attack=attack, steps=20, random_start=True if attack == "pgd" else None)
    whole = measure(plan, net, images, SETTINGS)
    with pytest.warns(MemoryWarning):
        halved = measure(plan, Small(net), images, SETTINGS)
    assert halved.clean == whole.clean and halved.entries[0].standing == whole.entries[0].standing
