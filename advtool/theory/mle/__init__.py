"""Maximum likelihood between N(μ, Σ*) and N(−μ, Σ*) under an ℓ2 attack: Ilyas et al. 2019, Appendix E.

Σ* = diag(s), written S. Errata in what the paper prints are M1 to M9 of `advtool.theory.errata`.
"""
