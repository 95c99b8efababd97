"""Two Gaussians of different widths: "Towards Understanding the Trade-off Between Accuracy and Adversarial Robustness".

Class 1 lies at 0, class 2 at `distance`, on the axis through both means. A hyperplane across that axis is its place w
on it. Errata in what the paper prints are G1 to G10 of `advtool.theory.errata`.
"""
