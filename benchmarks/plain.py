"""Straightforward loops in float32, and how what an attack returns is judged."""

import torch
import torch.nn.functional as F
from torch import Tensor

from advtool.norms import ball
from benchmarks.nets import Problem

PGD_STEPS, TRAINING_STEPS, DISTILLATION_STEPS = 50, 7, 50


def judged(given: Problem, z: Tensor) -> dict[str, float]:
    """How many images stand, and the mean distance of those that fell. Where it is outside the ball an image stands."""
    with torch.no_grad():
        right, broken = given.model(given.x).argmax(1) == given.y, given.model(z).argmax(1) != given.y
    distance = ball(given.norm).norm(z - given.x)
    broken &= distance <= given.eps * (1 + 1e-4)
    fell = right & broken
    return {"stand": int((right & ~broken).sum()), "distance": float(distance[fell].mean()) if fell.any() else 0.0}


def pgd(given: Problem) -> Tensor:
    """Every image, every step."""
    model, x, y, around = given.model, given.x, given.y, ball(given.norm, given.eps)
    z, steps = x.clone(), given.steps(PGD_STEPS)
    best, fooled = x.clone(), torch.zeros(len(x), dtype=torch.bool)
    for _ in range(steps + 1):
        z.requires_grad_(True)
        logits = model(z)
        (gradient,) = torch.autograd.grad(F.cross_entropy(logits, y, reduction="sum"), z)
        z = z.detach()
        wrong = (logits.argmax(1) != y) & ~fooled
        best, fooled = torch.where(wrong[:, None, None, None], z, best), fooled | wrong
        z = (x + around.project(z + 2.5 * given.eps / PGD_STEPS * around.step(gradient) - x)).clamp(0, 1)
    return best


def train(given: Problem) -> dict[str, float]:
    """An epoch of PGD-7 training in batches of 128, from the weights that there are."""
    model, around, seen = given.model, ball(given.norm, given.eps), 0.0
    model.requires_grad_(True)
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9, weight_decay=5e-4)
    for x, y in zip(given.x.split(128), given.y.split(128), strict=True):
        z = x.clone()
        model.eval()
        for _ in range(TRAINING_STEPS):
            z.requires_grad_(True)
            (gradient,) = torch.autograd.grad(F.cross_entropy(model(z), y), z)
            step = given.eps / 5 * around.step(gradient)
            z = (x + around.project(z.detach() + step - x)).clamp(0, 1)
        model.train()
        loss = F.cross_entropy(model(z), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seen += loss.item() * len(x)
    model.requires_grad_(False).eval()
    return {"loss": seen / len(given.x)}


def distill(given: Problem) -> dict[str, float]:
    """Normalised gradient descent towards the penultimate representation, for the images reversed."""
    from advtool.datasets.representation import relative_distance, representation

    x, around = given.x, ball("l2")
    with representation(given.model) as g:
        wanted, z = g(x).detach(), x.flip(0)
        for _ in range(given.steps(DISTILLATION_STEPS)):
            z = z.detach().requires_grad_(True)
            (gradient,) = torch.autograd.grad((g(z) - wanted).norm(dim=1).sum(), z)
            z = (z.detach() - 0.1 * around.step(gradient)).clamp(0, 1)
        return {"distance": float(relative_distance(g(z).detach(), wanted).mean())}
