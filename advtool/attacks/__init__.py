"""Attacks: each is one function of a model, inputs and labels, and returns adversarial inputs."""

from advtool.attacks.cw import cw
from advtool.attacks.ddn import ddn
from advtool.attacks.fab import fab
from advtool.attacks.pgd import pgd
from advtool.threat import Threat

__all__ = ["Threat", "cw", "ddn", "fab", "pgd"]
