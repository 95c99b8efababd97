import pytest
from scipy.stats import binomtest

from advtool.evaluation.statistics import wilson


@pytest.mark.parametrize(("correct", "n"), [(0, 10), (10, 10), (357, 360), (1, 1), (5000, 10_000)])
def test_wilson_intervals_are_scipys(correct, n):
    reference = binomtest(correct, n).proportion_ci(0.95, method="wilson")
    assert wilson(correct, n) == pytest.approx((reference.low, reference.high), abs=1e-12)
