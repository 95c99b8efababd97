"""Estimates of large work: the formulas, by hand, and the table that the documentation shows."""

import itertools
from dataclasses import replace

import pytest
from tests_support import REPOSITORY

from benchmarks.scale import Rates, distilling, table, training

RATES = Rates(flops=1e12, forward=1e9, parameters=1e6, decode=100, cores=2, link=1e8, disk=1e6, write=1e6, batch=10)


@pytest.mark.parametrize(
    "more, devices, seconds, bound",
    [
        ({}, 1, 0.1, "compute"),  # 10 images of 1 + 2*3 + 3 passes of 1e9 operations
        ({"decode": 25}, 1, 0.2, "decoding"),  # 10 images on two cores of 25 a second
        # Two of three devices' shares of 4 MB, twice, at 1e7 bytes/s: 0.5333 s, of which 2 of 10 passes are under way.
        ({"link": 1e7}, 3, 0.1 + 0.53333 - 0.02, "the network between devices"),
    ],
)
def test_training_by_hand(more, devices, seconds, bound):
    found = training(replace(RATES, **more), images=900, epochs=2, steps=3, devices=devices)
    assert found.bound == bound
    assert found.seconds == pytest.approx(2 * 900 / (10 * devices) * seconds, rel=1e-4)


def test_distilling_by_hand():
    found = distilling(RATES, images=100, steps=5, workers=10, size=100)
    # 10 images of 10 passes, 0.1 s; 120,000 bytes each at 1e6 bytes/s, 1.2 s; all 100 of 110 kB read, 11 s
    assert (found.bound, found.seconds) == ("reading past the others' images", pytest.approx(11))
    assert distilling(replace(RATES, disk=1e9), 100, 5, 10, 100).seconds == pytest.approx(1.3)


def test_the_table_is_that_of_the_page():
    assert table(Rates()) in (REPOSITORY / "docs" / "scale.md").read_text()


def test_more_workers_are_faster_until_reading_bounds():
    times = [distilling(RATES, 1e4, 100, workers) for workers in (1, 10, 100, 1000)]
    assert [one.seconds >= other.seconds for one, other in itertools.pairwise(times)] == 3 * [True]
    assert times[-1].bound == "reading past the others' images"
