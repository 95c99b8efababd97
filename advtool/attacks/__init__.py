"""Attacks: each is one function of a model, inputs and labels, and returns adversarial inputs."""

from advtool.attacks.apgd import apgd, apgd_t
from advtool.attacks.cw import cw
from advtool.attacks.ddn import ddn
from advtool.attacks.fab import fab
from advtool.attacks.fgsm import fgsm
from advtool.attacks.pgd import pgd
from advtool.attacks.square import square
from advtool.threat import Threat

__all__ = ["Threat", "apgd", "apgd_t", "cw", "ddn", "fab", "fgsm", "pgd", "square"]
