"""What the papers print, what is right, and why: data for ``--errata``."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Erratum:
    """One erratum: its id, its place in the paper, what is printed, what is right, and why (with a number to check)."""

    id: str
    place: str
    printed: str
    right: str
    why: str


PAPERS = {
    "gaussian": "Towards Understanding the Trade-off Between Accuracy and Adversarial Robustness (2018)",
    "bernoulli": "Collins, Li, Li: Interpretable Gradients with Robust Training (2019)",
    "tradeoff": "Tsipras et al.: Robustness May Be at Odds with Accuracy (2018)",
    "mle": "Ilyas et al.: Adversarial Examples Are Not Bugs, They Are Features (2019), Appendix E",
    "mixture": "Suggala et al.: On Adversarial Risk and Training (2019)",
}

_GAUSSIAN = (
    (
        "G1",
        "A.1",
        "ε_p = ‖Δ‖_p/‖Δ‖₂",
        "ε_p = ε‖Δ‖_q/‖Δ‖₂, q dual to p",
        "the factor ε is missing, and p should be its dual",
    ),
    (
        "G2",
        "Table 1, σ = (3, 6), Change",
        "+0.11 −14.03 / +0.12 −4.41",
        "+0.1599 −4.8300 / +0.1251 −4.7764",
        "differences of the errors that the table itself prints; the errors and the changes of (2, 18) are right",
    ),
    (
        "G3",
        "4.1, data-randomised training",
        "noise with covariance δσ I",
        "δσ is added to the standard deviations",
        "only that gives the table; reading it as a variance gives 0.162/6.02 or 0.101/8.00 per cent",
    ),
    (
        "G4",
        "App. B",
        "as δσ → ∞ the hyperplane tends to the midpoint, which is beyond w̃*",
        "to infinity (deviations added) or to h/2 + (σ2² − σ1²)/(2h) (variances added)",
        "computed at δσ = 10⁴ and beyond; neither midpoint > w̃* nor w* < midpoint is general",
    ),
    (
        "G5",
        "Theorem 1",
        "the robust optimum is parallel to the standard one",
        "true for p = 2 or equal nonzero |Δ_j| only",
        "Δ = (3, 1, .2, −2), ε = .5, linf: separation 2.23607 against 2.09234 along Δ; error .20829 against .22123 at"
        " σ = (1, 2)",
    ),
    (
        "G6",
        "Theorem 1",
        "W_λ lies between W* and W̃*",
        "false, even for ε_p ≤ h",
        "h = 28, σ = (2, 18), ε_p = 13, λ = .01: 4.900 < w* = 4.915; σ = (3, 4), ε_p = 16, λ = .1: 7.633 < 12.123."
        " It happens when the local maximum of β̃ is right of w*",
    ),
    (
        "G7",
        "Theorem 6",
        "λ(w) increases, and w minimises β + λ(w)β̃",
        "false; true in both settings of Table 1",
        "h = 28, σ = (1.02, 10.6), ε_p = 5.46: λ(w) rises to .0285, falls to .0101, rises; W_λ jumps from 3.30 to 6.15"
        " between λ = .012 and .015. The proof's denominator need not decrease for w < μ1 + ε_p",
    ),
    (
        "G8",
        "A.1, A.2",
        "∂(β + λβ̃) without λ; '+σ1σ2' in the chain for the gap",
        "λ belongs to the last two terms; '+σ1σ2' is stray",
        "slips",
    ),
    (
        "G9",
        "Theorem 8",
        "E ε_∞ ≥ (d + 2)/(3√d) ε",
        "true with the corrected ε_p, but loose",
        "‖x‖₁/‖x‖₂ ≥ ‖x‖₂ on the linf sphere; at d = 784 the mean is 24.2 and the bound 9.36",
    ),
    ("G10", "4.2", "nearly W̃* at λ ≈ .25", "87% and 77% of the way", "computed"),
)
_BERNOULLI = (
    (
        "B1",
        "Table 1",
        "τ from 0 to 0.25",
        "the printed numbers are those of τ from 0 to 0.2",
        "ten seeds of the recipe: see advtool theory bernoulli --table",
    ),
    ("B2", "Table 1, standard training", "0.08% and 0.01%", "8% and 1%", "fractions printed as per cent"),
    (
        "B3",
        "Theorem 1, proof",
        "⟨ŵ, τ⟩ ≥ ε⟨ŵ, 1⟩",
        "needs ŵ ≥ 0; Hoeffding on ⟨z, τ⟩ gives exp(−2‖τ‖⁴/d)",
        "the theorem is true, and a stronger one is",
    ),
    (
        "B4",
        "B.2",
        "τ_1 = 0 in the experiments",
        "outside Definition 1, and the bound becomes 1",
        "ε also names both min τ and the attack radius",
    ),
    ("B5", "3.2 and Eq. 10", "E[ŵ] = 2τθ; 2‖ŵ‖", "E[z] = 2τθ; 2‖ŵ‖²", "ŵ is normalised, z is not"),
    (
        "B6",
        "Figure 2, 3.3",
        "τ* ≈ 0.18 at ε = .5, a function of d and ε",
        "τ* = (ε/2) πA₁/((1 − π)A₀ + πA₁); .190 for that figure",
        "it comes from attacking every other step (π = ½): pure robust training has τ* = ε/2 in any dimension, so only"
        " w = 0 at ε = .5",
    ),
)
_TRADEOFF = (
    (
        "T1",
        "Theorem 2.2",
        "the adversarial SVM has 70% accuracy against any ε < 1",
        "for test ε < 1, if the training ε is from η to below 2p − 1 = .4",
        "for 2p − 1 ≤ ε < 1 the solution is w = 0, which no λ makes unit norm; with η = 4/√d and ε = 2η that is d ≤ 400"
        " (d = 100: loss 1 at w = 0, 1.4 at w_1 = 1)",
    ),
    ("T2", "2.1", "Pr[N(−η, 1) > 0]", "Pr[N(−η, 1/d) > 0]", "the meta-feature is a mean of d features"),
    (
        "T3",
        "Lemma C.5",
        "mean 2η − ε ≤ 0 of the nuisance term",
        "|w_i|(ε − η) ≥ 0; the threshold is ε ≥ η",
        "zeroing w_i also removes noise (Jensen)",
    ),
    ("T4", "Lemma C.4", "shift towards y; 'w_i > 0, i > 2'", "away from y; i ≥ 2", "slips"),
    (
        "T5",
        "Lemma C.2",
        "η = 4/√d in the proof, η ≥ 4/√d in the theorem",
        "true for η√d in {4, 5, 10, 30} at p = .7, and p in {.9, .99, .999} at 4",
        "computed; the constants check: .0051 > .005, .000382 < .0004",
    ),
)
_MLE = (
    (
        "M1",
        "Eq. 26, proofs of Theorem 2 and Lemma 5",
        "ε",
        "ε²; the ε of Theorem 2 is tr(S M²)",
        "Eq. 19 constrains ε²",
    ),
    (
        "M2",
        "Theorem 1",
        "tr[(I + (CΣ − I)⁻¹)²] − d for C ≥ 1/σmin",
        "half of it with 2C for C, for C > 1/(2σmin)",
        "a negative log-likelihood has a ½; δ* lacks v; at equality the inner problem is unbounded",
    ),
    (
        "M3",
        "Lemma 5",
        "for ε below some ε₀ (σmin²)",
        "for every ε",
        "proved is tr(SM²) < σmin; and the maximiser always has λ > 1/σmin(Σ) (trust region)",
    ),
    (
        "M4",
        "Theorem 2, upper bound",
        "σmin(M)⁻²; last '='",
        "σmin(λΣ − I)⁻²; a root is lost and ε′ becomes ε",
        "the final bound still holds, since λ ≤ √(Σ1/s_i)/ε",
    ),
    (
        "M5",
        "Lemmas 6, 7, Theorem 3",
        "strict inequalities",
        "strict for κ > 1 only",
        "equal for S ∝ I; the last fraction of Lemma 6 is misprinted, the lemma is true",
    ),
    ("M6", "Lemma 3", "tr(Σ*²M)", "tr(Σ*M²)", "slip"),
    (
        "M7",
        "E.3.5",
        "Danskin's theorem as written",
        "the set depends on μ; μ* is optimal all the same",
        "the loss increases in s_i + (μ_i − μ*_i)²",
    ),
    (
        "M8",
        "Theorem 3",
        "the worst alignment over μ improves",
        "for diagonal Σ the alignment improves for every fixed μ",
        "Σ_r/S decreases in s; no counterexample in 3000 random ones",
    ),
    (
        "M9",
        "Eq. 12, 13",
        "(12) becomes (13)",
        "they differ in low dimension",
        "d = 1: (12) gives s + 2ε√(2s/π) + ε², (13) gives (√s + ε)²",
    ),
)
_MIXTURE = (
    (
        "X1",
        "Theorem 1, part 3",
        "R_adv ≤ Φ((‖w − θ‖₁ε − (w − θ)·θ)/(σ‖w − θ‖₂))",
        "with u = w − νθ for w − θ, any ν ≥ 0, and + Φ(−‖θ‖/σ)",
        "points with y = 1 and θ·x < 0 are dropped. θ = e_1, σ = 1, ε = .3, d = 1001, w = .01(3e_1 + 1/√1000 on others)"
        ": R_adv = .92598 > .91890. It is undefined at w = θ and changes with the length of w",
    ),
    (
        "X2",
        "Corollary 2",
        "G(θ̃) < G(θ*)",
        "for ε > (2 − √2)/(1 + √(p − 1) − √2) only",
        "the numerator of G(θ*) must be (1 + √(p − 1))ε − 2",
    ),
    (
        "X3",
        "Corollary 3, proof",
        "counts f = y",
        "should count f = g",
        "the conclusion holds: exact R_adv is .965 at p − s = 10⁴",
    ),
    (
        "X4",
        "Corollary 4",
        "start with covariance 1/√(p − s) and ‖α‖₁ = √(p − s); descent tends to θ",
        "that covariance gives ‖α‖₁ ∝ (p − s)^¾, and then the claim holds; 1/(p − s) gives √(2/π)√(p − s): it fails",
        "the logistic population optimum is 2θ/σ², not θ: p − s = 10⁴, ‖θ‖ = 2 gives .373 (.898 with w_S = θ)",
    ),
    ("X5", "Theorem 1, proof", "wᵀθ + θᵀz", "wᵀθ + wᵀz", "slip"),
    ("X6", "2", "η(x) = ½ has measure 0", "P(y = 1 | x) = ½ has", "η is a sign"),
    ("X7", "Theorem 7, proof", "h carries the sign of g", "|h| = 1/(1 + e^(gf))", "slip"),
)
ERRATA = {
    model: tuple(Erratum(*row) for row in rows)
    for model, rows in (
        ("gaussian", _GAUSSIAN),
        ("bernoulli", _BERNOULLI),
        ("tradeoff", _TRADEOFF),
        ("mle", _MLE),
        ("mixture", _MIXTURE),
    )
}
