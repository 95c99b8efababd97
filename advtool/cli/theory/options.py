"""The options that all models share."""

from typing import Annotated

import typer

Check = Annotated[
    bool,
    typer.Option("--check", help="Sample every printed probability; exit with 1 if one disagrees. Default: off."),
]
Samples = Annotated[
    int,
    typer.Option(
        "--samples", metavar="N", min=1000, max=10**9, help="Samples a probability with --check. Default: 400000."
    ),
]
Errata = Annotated[
    bool, typer.Option("--errata", help="Show what the paper prints, what is right and why, and stop. Default: off.")
]
Plot = Annotated[
    str | None,
    typer.Option(
        "--plot", metavar="FILE", help="Draw the paper's figure, or a sweep, as .png, .pdf or .svg. Default: off."
    ),
]
Norm = Annotated[
    str, typer.Option("--norm", metavar="linf|l2|l1|lP", help="Norm of the attack; l3 is the 3-norm. Default: linf.")
]


def sweepable(name: str, metavar: str, text: str):
    """An option that takes one value, a comma list, or from:to:step."""
    return typer.Option(name, metavar=f"{metavar}[,…|:…]", help=text)
