"""Datasets made from models and from other labels: samples in, samples out."""
