"""Attacks: each is one function of a model, inputs and labels, and returns adversarial inputs."""

from advtool.attacks.pgd import pgd
from advtool.threat import Threat

__all__ = ["Threat", "pgd"]
