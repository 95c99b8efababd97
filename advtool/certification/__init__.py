"""Randomised smoothing: radii in which no perturbation changes the answer of a smoothed classifier."""

from advtool.certification.run import certify

__all__ = ["certify"]
