"""``advtool theory``: one short file a model, and what they share."""

import typer

from advtool.cli.theory import bernoulli, gaussian, mixture, mle, tradeoff


def register(app: typer.Typer, group: type) -> None:
    """Add the subcommands to the command line."""
    theory = typer.Typer(
        cls=group,
        no_args_is_help=True,
        rich_markup_mode="rich",
        help="Compute what the papers prove, corrected: [bold]advtool theory gaussian --sigma1 3 --sigma2 6[/bold]."
        "\n\nnumpy and scipy only; every number can be checked by sampling (--check) and swept over (--sigma2 2:18:0.5).",
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
