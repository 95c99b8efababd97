"""The perturbation balls. This package alone knows what a norm is; attacks are written in terms of it.

Norms are per example over all of C×H×W, radii on the [0, 1] pixel scale. A ball is a value: ``L2(0.5)``,
``Linf(8/255)``. ``L2()`` has no limit, for attacks that look for the smallest perturbation.
"""

from advtool.ball.base import Ball, per_example, precise
from advtool.ball.l0 import L0
from advtool.ball.l1 import L1
from advtool.ball.l2 import L2
from advtool.ball.linf import Linf

__all__ = ["L0", "L1", "L2", "Ball", "Linf", "per_example", "precise"]
