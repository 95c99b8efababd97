"""The modified Bernoulli model of Collins, Li & Li 2019, "Interpretable Gradients with Robust Training".

x ∈ {±1}^d and x_j = y θ_j with probability ½ + τ_j. Signs θ drop out: u_j = w_j θ_j and s_j = y θ_j x_j, so that
E s_j = 2τ_j and Var s_j = 1 − 4τ_j². An attack moves each coordinate by up to ε (linf) and may leave {±1}.
Errata in what the paper prints are B1 to B6 of `advtool.theory.errata`.
"""
