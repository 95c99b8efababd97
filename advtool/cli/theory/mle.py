"""``advtool theory mle``."""

from typing import Annotated

import typer

from advtool.cli import console, options
from advtool.cli.theory import options as shared
from advtool.cli.theory import render, values
from advtool.cli.theory.run import Model, Output, run, show_errata
from advtool.errors import UsageError


def mle(
    variances: Annotated[
        str,
        typer.Option("--variances", metavar="S,…|FILE", help="Diagonal of the true covariance. Default: 1,100."),
    ] = "1,100",
    dim: Annotated[
        int | None,
        typer.Option("--dim", metavar="D", min=1, max=10**7, help="Repeat one --variances value D times. Default: no."),
    ] = None,
    eps: Annotated[str | None, shared.sweepable("--eps", "E", "l2 radius of the attack. Default: 1.")] = None,
    mu: Annotated[
        str | None,
        typer.Option("--mu", metavar="M,…|FILE", help="Mean of a class. Default: the one that is aligned worst."),
    ] = None,
    penalty: Annotated[
        str | None, shared.sweepable("--penalty", "C", "Also Theorem 1, with this Lagrangian penalty. Default: none.")
    ] = None,
    convention: Annotated[
        str,
        typer.Option(
            "--convention",
            metavar="nll|paper",
            help="Loss of Theorem 1: with the factor 1/2, or without. Default: nll.",
        ),
    ] = "nll",
    residual: Annotated[
        str | None,
        typer.Option(
            "--residual", metavar="V,…|FILE", help="Also the worst perturbation of x = mu + V. Default: none."
        ),
    ] = None,
    check: shared.Check = False,
    samples: shared.Samples = 400_000,
    errata: shared.Errata = False,
    plot: shared.Plot = None,
    seed: options.Seed = 0,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Robust maximum likelihood between two Gaussians: what covariance an l2 attack makes it learn.

    The robust covariance for any eps, its multiplier lam with bounds, and how the classifier's gradient aligns with the
    vector between the classes. --plot draws the picture of two variances.
    """
    console.set_level(quiet, verbose)
    if errata:
        return show_errata("mle", json)
    swept = {"eps": values.sweep(eps, "--eps"), "penalty": values.sweep(penalty, "--penalty")}
    fixed = {
        "variances": values.vector(variances, "--variances", dim),
        "mu": values.vector(mu, "--mu"),
        "residual": values.vector(residual, "--residual"),
    }
    if plot and len(fixed["variances"]) != 2 and not any(found and len(found) > 1 for found in swept.values()):
        raise UsageError("--plot: the picture is of two variances, such as --variances 1,100")

    from advtool.theory.mle.checks import claims
    from advtool.theory.mle.figure import figure
    from advtool.theory.mle.report import report

    several = [name for name, found in swept.items() if found and len(found) > 1]
    settings = values.grid(swept, convention=convention, **fixed)
    run(Model("mle", report, claims, show, _row, figure), settings, several, Output(json, check, samples, plot, seed))


def _row(report: dict) -> tuple[str, ...]:
    few = len(report["robust_covariance"]) <= 3
    learned = [f"robust_covariance.{i}" for i in range(len(report["robust_covariance"]))] if few else []
    excess = ("excess_loss",) if "excess_loss" in report else ()
    return ("lam", *learned, "condition_robust", "alignment_standard", "alignment_robust", *excess)


def show(report: dict) -> None:
    """What is learned, then what follows from it."""
    inputs, bounds = report["inputs"], report["lam_bounds"]
    rows = [
        ("variances", render.number(inputs["variances"])),
        ("robust covariance", render.number(report["robust_covariance"])),
        ("λ", render.number(report["lam"])),
        ("  from, to", f"{render.number(bounds['lower'])}, {render.number(bounds['upper'])}"),
        ("  to, by the paper", render.number(bounds["upper_paper"])),
        ("condition number, standard", render.number(report["condition_standard"])),
        ("condition number, robust", render.number(report["condition_robust"])),
    ]
    which = "at standard's worst μ" if inputs["mu"] is None else "at --mu"
    rows += [
        (f"alignment of the gradient, {kind}, {which}", render.number(report[f"alignment_{kind}"])) for kind in _KINDS
    ]
    rows += [
        (f"alignment of the gradient, {kind}, worst over μ", render.number(report[f"worst_alignment_{kind}"]))
        for kind in _KINDS
    ]
    if "excess_loss" in report:
        rows.append(
            (f"excess loss, C = {inputs['penalty']:g} ({inputs['convention']})", render.number(report["excess_loss"]))
        )
    if "perturbation" in report:
        entry = report["perturbation"]
        rows += [
            ("worst perturbation", render.number(entry["delta"])),
            ("  loss before, after", f"{render.number(entry['loss'])}, {render.number(entry['loss_perturbed'])}"),
        ]
    render.facts(f"maximum likelihood in {len(inputs['variances']):,} dimensions, l2 ε = {inputs['eps']:g}", rows)
    render.check(report)


_KINDS = ("standard", "robust")
