"""Evaluation: how accurate and how robust models are, and whether that is to be believed."""

from advtool.evaluation.run import evaluate

__all__ = ["evaluate"]
