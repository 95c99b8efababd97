"""Datasets made from models: adversarial examples, and later robust and non-robust features."""
