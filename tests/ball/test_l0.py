"""The ball that counts components."""

import pytest
import torch

from advtool import norms
from advtool.ball import L0
from advtool.errors import UsageError


def test_it_counts_components_and_keeps_the_largest():
    delta = torch.tensor([[0.3, 0.0, -0.5, 0.1], [0.0, 0.0, 0.0, -0.2]]).view(2, 1, 2, 2)
    assert L0().norm(delta).tolist() == [3, 1]
    kept = L0(2.0).project(delta)
    assert torch.equal(kept.flatten(1), torch.tensor([[0.3, 0, -0.5, 0], [0, 0, 0, -0.2]]))
    assert torch.equal(L0(9.0).project(delta), delta) and not L0(0.0).project(delta).any()


@pytest.mark.parametrize("eps", [2.5, 17])
def test_radii_are_numbers_of_components(eps):
    with pytest.raises(UsageError, match="number of components"):
        norms.check_radius("l0", eps, (1, 4, 4))
    norms.check_radius("l0", 16, (1, 4, 4))


def test_there_is_no_direction_in_it():
    for use in (lambda ball, x: ball.step(x), lambda ball, x: ball.dual(x), lambda ball, x: ball.random(x, x, 0)):
        with pytest.raises(UsageError, match="no directions"):
            use(L0(3.0), torch.zeros(1, 1, 2, 2))
