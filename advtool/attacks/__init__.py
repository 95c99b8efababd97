"""Attacks: each is a function ``attack(model, inputs, labels, ball, *, …)`` that returns adversarial inputs.

They are interchangeable: all take ``ids``, ``seed`` and ``amp`` besides their own options, may be called where
gradients are off, and leave the model as they found it. By name they stand in `advtool.registry`.
"""

from advtool.attacks.apgd import apgd, apgd_t
from advtool.attacks.cw import cw
from advtool.attacks.ddn import ddn
from advtool.attacks.fab import fab, fab_t
from advtool.attacks.fast import fast
from advtool.attacks.fgsm import fgsm
from advtool.attacks.fmn import fmn
from advtool.attacks.mi_fgsm import mi_fgsm
from advtool.attacks.pgd import pgd
from advtool.attacks.sdf import sdf
from advtool.attacks.sigma_zero import sigma_zero
from advtool.attacks.square import square
from advtool.ball import L0, L1, L2, Ball, Linf
from advtool.threat import Threat

__all__ = ["L0", "L1", "L2", "Ball", "Linf", "Threat"]
__all__ += ["apgd", "apgd_t", "cw", "ddn", "fab", "fab_t", "fast", "fgsm", "fmn", "mi_fgsm", "pgd", "sdf", "sigma_zero"]
__all__ += ["square"]
