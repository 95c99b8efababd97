"""``advtool theory``: one short file a model, and what they share."""

import typer

from advtool.cli.theory import bernoulli, gaussian, mixture, mle, tradeoff


def register(app: typer.Typer, group: type) -> None:
    """Add the subcommands to the command line."""
    theory = typer.Typer(
        cls=group,
        no_args_is_help=True,
        rich_markup_mode="rich",
        help="Compute what five papers on robustness prove, checked and corrected."
        "\n\nAs in [bold]advtool theory gaussian --sigma1 3 --sigma2 6[/bold]. Numeric options take sweeps (2:18:0.5"
        " or 1,2,5), --check samples every probability, --errata lists what the papers misprint.",
    )
    for name, command in (
        ("gaussian", gaussian.gaussian),
        ("bernoulli", bernoulli.bernoulli),
        ("tradeoff", tradeoff.tradeoff),
        ("mle", mle.mle),
        ("mixture", mixture.mixture),
    ):
        theory.command(name)(command)
    app.add_typer(theory, name="theory")
