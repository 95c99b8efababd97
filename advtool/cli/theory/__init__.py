"""``advtool theory``: the options of each model, and how they are read."""

import typer
from typer.core import TyperGroup

from advtool.cli.command import command
from advtool.cli.theory.bernoulli import Bernoulli
from advtool.cli.theory.gaussian import Gaussian
from advtool.cli.theory.mixture import Mixture
from advtool.cli.theory.mle import Mle
from advtool.cli.theory.tradeoff import Tradeoff

MODELS = {"gaussian": Gaussian, "bernoulli": Bernoulli, "tradeoff": Tradeoff, "mle": Mle, "mixture": Mixture}


def register(app: typer.Typer, group: type[TyperGroup]) -> None:
    """Add the subcommands to the command line."""
    theory = typer.Typer(
        cls=group,
        no_args_is_help=True,
        rich_markup_mode="rich",
        help="Compute what five papers on robustness prove, checked and corrected."
        "\n\nAs in [bold]advtool theory gaussian --sigma1 3 --sigma2 6[/bold]. Numeric options take sweeps (2:18:0.5"
        " or 1,2,5), --check samples every probability, --errata lists what the papers misprint.",
    )
    for name, options in MODELS.items():
        command(theory, options, f"advtool.commands.theory.{name}:run")
    app.add_typer(theory, name="theory")
