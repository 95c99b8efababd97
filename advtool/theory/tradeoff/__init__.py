"""The model of Tsipras et al. 2018, "Robustness May Be at Odds with Accuracy".

x_1 = ±y, right with probability p; x_2 … x_{d+1} ~ N(ηy, 1). The attack moves each feature by up to ε (linf).
Errata in what the paper prints are T1 to T5 of `advtool.theory.errata`.
"""
