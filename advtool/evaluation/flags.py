"""Red flags: signs that a robust accuracy is too good to be true.

After Athalye et al. 2018 (https://arxiv.org/abs/1802.00420) and Carlini et al. 2019
(https://arxiv.org/abs/1902.06705). Each check is a function that returns a sentence, or None.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from advtool import norms, registry, seeds
from advtool.attacks.guard import logits_of, predictions_of
from advtool.attacks.losses import cross_entropy
from advtool.ball import Ball
from advtool.data.arrays import Images
from advtool.data.batches import in_order
from advtool.data.subset import subset
from advtool.device import Settings
from advtool.evaluation.statistics import wilson
from advtool.evaluation.transfer import attack_of
from advtool.prepared import Network, differs, prepare, untouched
from advtool.registry import Attack

IMAGES = 100
VANISHING = 0.05
TOLERANCE = 0.02

Found = dict[str, str | None]
"""Names of checks, and what they found."""


def red_flags(
    model: nn.Module,
    images: Images,
    report: Mapping[str, Any],
    attacks: Sequence[Attack],
    settings: Settings,
    classes: int | None = None,
) -> list[dict[str, str]]:
    """Run every check that applies, on up to 100 images drawn by key.

    Parameters
    ----------
    report : ``clean`` and ``adversarial`` of the evaluation that is to be believed
    attacks : that the evaluation used
    classes : how many there are; None for as many as these images know

    Returns
    -------
    ``{"name": …, "detail": …}`` each, empty if nothing is suspicious
    """
    part = subset(images, IMAGES, settings.seed)
    training = [module for module in model.modules() if module.training]
    attacked = attack_of(images) is not None  # such images are meant to be misread
    found: Found = {"chance": None if attacked else _chance(report["clean"], classes or images.head.num_classes)}
    found["training-mode"] = _training_mode(training)
    with torch.inference_mode(False), torch.enable_grad(), untouched(model):
        x, y, ids = next(in_order(part, len(part), settings.device))
        averaged = bool(report["adversarial"]) and all(entry["eot"] > 1 for entry in report["adversarial"])
        found |= _about_outputs(model, x, averaged)
        if not differs(model, x):
            found["batch-dependent"] = _batch_dependent(model, x)
        if report["adversarial"]:
            found |= _about_gradients(model, x, y)
            found["black-box"] = _black_box_wins(report["adversarial"], attacks)
            found |= _about_attacks(
                _Trial(prepare(model, x, settings.amp), x, y, ids, settings.seed), report["adversarial"]
            )
    return [{"name": name, "detail": detail} for name, detail in found.items() if detail]


def _chance(clean: Mapping[str, Any], classes: int) -> str | None:
    low, _ = wilson(clean["correct"], clean["n"])
    if low > 1 / classes or classes == 1:
        return None
    return f"clean accuracy {100 * clean['accuracy']:.1f}% is at chance for {classes} classes"


def _training_mode(modules: list[nn.Module]) -> str | None:
    kinds = sorted({type(m).__name__ for m in modules if isinstance(m, nn.modules.batchnorm._BatchNorm | nn.Dropout)})
    return f"{' and '.join(kinds)} left in training mode" if kinds else None


@torch.no_grad()
def _about_outputs(model: nn.Module, x: Tensor, averaged: bool) -> Found:
    found: Found = {"random-outputs": None, "probabilities": None}
    first = logits_of(model, x)
    if differs(model, x) and not averaged:
        found["random-outputs"] = (
            "identical calls differ, and attacks followed the gradients of single ones: they have to follow the mean of"
            " several (eot)"
        )
    sums = (first.sum(1) - 1).abs().amax()
    if first.shape[1] > 1 and first.min() >= 0 and first.max() <= 1 and sums < 1e-3:
        found["probabilities"] = (
            "outputs are probabilities, not logits: the loss applies softmax again, and gradients vanish"
        )
    return found


@torch.no_grad()
def _batch_dependent(model: nn.Module, x: Tensor) -> str | None:
    few = max(2, len(x) // 8)  # batch norm cannot take the statistics of one
    together, apart = logits_of(model, x)[:few], logits_of(model, x[:few])
    difference = float((together - apart).abs().amax() / together.abs().amax().clamp_min(1e-12))
    if difference <= 1e-3:
        return None
    return f"an image's outputs change by {difference:.2g} with the batch it is in: BatchNorm uses batch statistics"


def _about_gradients(model: nn.Module, x: Tensor, y: Tensor) -> Found:
    found: Found = {"nan-gradients": None, "zero-gradients": None}
    x = x.clone().requires_grad_(True)
    loss = cross_entropy(logits_of(model, x), y)
    gradient = torch.autograd.grad(loss.sum(), x, allow_unused=True)[0] if loss.requires_grad else None
    flat = (torch.zeros_like(x) if gradient is None else gradient).flatten(1)
    bad, zero = float((~flat.isfinite()).any(1).float().mean()), float((flat == 0).all(1).float().mean())
    if bad:
        found["nan-gradients"] = f"the loss gradient of {100 * bad:.0f}% of the images is not finite"
    if zero > VANISHING:
        found["zero-gradients"] = (
            f"the loss gradient of {100 * zero:.0f}% of the images is exactly zero, so gradient attacks cannot move:"
            " saturated logits or a step function"
        )
    return found


@dataclass(frozen=True)
class _Trial:
    """A model's network and images, to try attacks on."""

    network: Network
    x: Tensor
    y: Tensor
    ids: Tensor
    seed: int

    def standing(self, attack: str, ball: Ball, **asked: Any) -> float:
        """The share of the images that an attack leaves standing."""
        planned = registry.get(attack).plan(ball, asked)
        seed = seeds.derive(self.seed, "flags")
        adversarial = planned(self.network, self.x, self.y, ids=self.ids, seed=seed, early_stop=True)
        return float((predictions_of(self.network, adversarial) == self.y).float().mean())


def _about_attacks(trial: _Trial, entries: Sequence[Mapping[str, Any]]) -> Found:
    """What other settings of PGD, and a single step, tell of the largest radius that was evaluated."""
    hardest = max(entries, key=lambda entry: entry["eps"])
    ball = norms.ball(hardest["adv"], hardest["eps"])
    if ball.eps == 0:
        return {}
    usual = trial.standing("pgd", ball)
    found: Found = {"single-step": _single_step_wins(trial, ball, usual)}
    if hardest["attack"] == "pgd":
        found["no-plateau"] = _no_plateau(trial, ball, usual)
    found["unbounded"] = _unbounded_fails(trial, ball)
    return found


def _single_step_wins(trial: _Trial, ball: Ball, usual: float) -> str | None:
    single = trial.standing("fgsm", ball)
    if single >= usual - TOLERANCE:
        return None
    return f"one step leaves {100 * single:.0f}% standing, 50 steps {100 * usual:.0f}%: iterating should not hurt"


def _no_plateau(trial: _Trial, ball: Ball, usual: float) -> str | None:
    longer = trial.standing("pgd", ball, steps=200)
    restarted = trial.standing("pgd", ball, random_start=True, restarts=3)
    if min(longer, restarted) >= usual - TOLERANCE:
        return None
    return (
        f"50 steps leave {100 * usual:.0f}% standing, 200 steps {100 * longer:.0f}%, 3 restarts"
        f" {100 * restarted:.0f}%: the attack has not converged"
    )


def _unbounded_fails(trial: _Trial, ball: Ball) -> str | None:
    left = trial.standing("pgd", ball.with_eps(ball.diameter(tuple(trial.x.shape[1:]))))
    if left <= VANISHING:
        return None
    return f"{100 * left:.0f}% still stand when any image may become any other: the attack does not see the model"


def _black_box_wins(entries: Sequence[Mapping[str, Any]], attacks: Sequence[Attack]) -> str | None:
    blind = {attack.name for attack in attacks if not attack.gradients}
    for entry in entries:
        rows = entry.get("breakdown", [])
        for index, row in enumerate(rows):
            seeing = [before["attack"] for before in rows[:index] if before["attack"] not in blind]
            if row["attack"] in blind and seeing and row["broken"] > max(1, TOLERANCE * row["attacked"]):
                return (
                    f"{row['attack']}, which uses no gradients, broke {row['broken']} of {row['attacked']} images that"
                    f" {' and '.join(seeing)} left standing at eps {entry['eps']:.4g}: gradients are masked"
                )
    return None
