"""Mixtures x | y ~ N(yθ, σ²I): Suggala et al. 2019, "On Adversarial Risk and Training".

The base classifier is g(x) = sign(θ·x); a perturbation counts for R_adv only where g keeps its answer.
Errata in what the paper prints are X1 to X7 of `advtool.theory.errata`.
"""
