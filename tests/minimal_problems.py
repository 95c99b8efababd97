"""Models whose smallest adversarial perturbations are known, for the tests of attacks that look for them."""

import functools

import numpy as np
import torch
from scipy.optimize import brentq, linprog, minimize
from torch import Tensor, nn

from advtool.data import arrays, sources

DUAL = {"l2": 2, "linf": 1, "l1": np.inf}


class Quadratic(nn.Module):
    """Class 1 outside of a sphere around the middle of the box, class 0 inside."""

    def __init__(self, radius: float):
        super().__init__()
        self.radius = radius

    def forward(self, x: Tensor) -> Tensor:
        square = (x.flatten(1) - 0.5).square().sum(1)
        return torch.stack((torch.full_like(square, self.radius**2), square), 1)


class Curved(nn.Module):
    """A small network with batch norm and dropout, so that modes and buffers matter."""

    def __init__(self, classes: int = 3):
        super().__init__()
        torch.manual_seed(1)
        self.body = nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(4 * 36, classes)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


def linear(n: int, dim: int) -> tuple[nn.Module, Tensor, Tensor, dict[str, Tensor]]:
    """A hyperplane through the middle of the box, and points on both sides: (model, x, y, distances by norm)."""
    generator = torch.Generator().manual_seed(dim)
    weight = torch.randn(dim, generator=generator)
    unit = weight / weight.norm()
    model = nn.Sequential(nn.Flatten(), nn.Linear(dim, 2))
    with torch.no_grad():
        model[1].weight.copy_(torch.stack((-weight / 2, weight / 2)))
        model[1].bias.copy_(torch.stack((weight.sum() / 4, -weight.sum() / 4)))
    aside = 0.05 * (torch.rand(n, dim, generator=generator) - 0.5)
    signed = 0.05 + 0.15 * torch.rand(n, generator=generator)
    signed = torch.where(torch.arange(n) % 2 == 0, signed, -signed)
    x = 0.5 + aside - (aside @ unit)[:, None] * unit + signed[:, None] * unit
    distances = {"l2": signed.abs(), "linf": signed.abs() * weight.norm() / weight.norm(p=1)}
    problems = zip(x.double().numpy(), -signed.double().numpy() * float(weight.norm()), strict=True)
    distances["l1"] = torch.tensor([smallest_l1(z, weight.double().numpy(), gap) for z, gap in problems])
    return model, x.view(n, 1, 1, dim), (signed > 0).long(), distances


def quadratic(n: int, dim: int, inside: bool) -> tuple[nn.Module, Tensor, Tensor, dict[str, Tensor]]:
    """A sphere of radius 0.3, and points inside or outside: (model, x, y, distances by norm)."""
    generator = torch.Generator().manual_seed(dim)
    radius = 0.3
    direction = torch.randn(n, dim, generator=generator)
    direction /= direction.norm(dim=1, keepdim=True)
    share = torch.rand(n, generator=generator)
    length = 0.1 + 0.15 * share if inside else 0.35 + 0.1 * share
    offset = length[:, None] * direction
    linf = [_linf_to_sphere(each, radius, inside) for each in offset.double().abs().numpy()]
    l1 = [_l1_to_sphere(each, radius, inside) for each in offset.double().abs().numpy()]
    distances = {"l2": (length - radius).abs(), "linf": torch.tensor(linf), "l1": torch.tensor(l1)}
    y = torch.full((n,), 0 if inside else 1)
    return Quadratic(radius), (0.5 + offset).view(n, 1, 1, dim), y, distances


def _linf_to_sphere(u: np.ndarray, radius: float, inside: bool) -> float:
    """Outwards every coordinate grows alike; inwards every coordinate shrinks, until it is 0."""

    def gap(t: float) -> float:
        return float(np.linalg.norm(u + t if inside else np.maximum(u - t, 0))) - radius

    return brentq(gap, 0, 1, xtol=1e-9)


def _l1_to_sphere(u: np.ndarray, radius: float, inside: bool) -> float:
    """Outwards the largest coordinate grows alone; inwards the largest ones shrink to one level."""
    if inside:
        return float(np.sqrt(radius**2 - (u**2).sum() + u.max() ** 2) - u.max())
    level = brentq(lambda level: np.linalg.norm(np.minimum(u, level)) - radius, 0, u.max(), xtol=1e-9)
    return float(np.maximum(u - level, 0).sum())


def edge(dim: int, norm: str, n: int = 30) -> tuple[nn.Module, Tensor, Tensor, Tensor]:
    """A hyperplane, and points near corners of the box, which stops most of them: (model, x, y, distances)."""
    model, *_ = linear(2, dim)
    generator = torch.Generator().manual_seed(dim)
    x = 0.02 + 0.96 * torch.randint(0, 2, (n, 1, 1, dim), generator=generator)
    with torch.no_grad():
        logits, weight = model(x), model[1].weight[1] - model[1].weight[0]
    solve = {"l2": smallest_l2, "linf": smallest_linf, "l1": smallest_l1}[norm]
    gaps = logits[:, 0] - logits[:, 1]
    best = [
        solve(*(each.double().numpy() for each in (z.flatten(), weight, gap))) for z, gap in zip(x, gaps, strict=True)
    ]
    assert (torch.tensor(best) > 1.02 * gaps.abs() / weight.norm(p=DUAL[norm])).float().mean() > 0.2
    return model, x, logits.argmax(1), torch.tensor(best)


def smallest_linf(z: np.ndarray, w: np.ndarray, gap: float) -> float:
    """Minimise t subject to w·d = gap, |d| ≤ t and 0 ≤ z + d ≤ 1, as a linear programme."""
    dim = len(z)
    eye, ones = np.eye(dim), np.ones((dim, 1))
    result = linprog(
        np.append(np.zeros(dim), 1),
        A_ub=np.block([[eye, -ones], [-eye, -ones]]),
        b_ub=np.zeros(2 * dim),
        A_eq=np.append(w, 0)[None],
        b_eq=[gap],
        bounds=[*zip(-z, 1 - z, strict=True), (0, None)],
    )
    assert result.success
    return float(result.x[-1])


def smallest_l1(z: np.ndarray, w: np.ndarray, gap: float) -> float:
    """Minimise ‖d‖₁ subject to w·d = gap and 0 ≤ z + d ≤ 1: a fractional knapsack, filled by what gains most."""
    room, left, spent = np.where(w * gap > 0, 1 - z, z), abs(gap), 0.0
    for place in np.argsort(-np.abs(w)):
        move = min(room[place], left / max(abs(w[place]), 1e-300))
        left, spent = left - move * abs(w[place]), spent + move
    assert left < 1e-6
    return spent


def smallest_l0(z: np.ndarray, w: np.ndarray, gap: float) -> int:
    """How many coordinates have to move for w·d = gap and 0 ≤ z + d ≤ 1: those that can gain most."""
    gains = np.sort(np.abs(w) * np.where(w * gap > 0, 1 - z, z))[::-1].cumsum()
    assert gains[-1] >= abs(gap)
    return int(np.searchsorted(gains, abs(gap))) + 1


def smallest_l2(z: np.ndarray, w: np.ndarray, gap: float) -> float:
    """Minimise ‖d‖² subject to w·d = gap and 0 ≤ z + d ≤ 1, as a quadratic programme."""
    result = minimize(
        lambda d: d @ d,
        np.zeros(len(z)),
        jac=lambda d: 2 * d,
        bounds=list(zip(-z, 1 - z, strict=True)),
        constraints={"type": "eq", "fun": lambda d: w @ d - gap, "jac": lambda d: w},
        method="SLSQP",
        options={"maxiter": 1000, "ftol": 1e-14},
    )
    assert result.success
    return float(np.linalg.norm(result.x))


@functools.cache
def digits(n: int) -> tuple[nn.Module, Tensor, Tensor]:
    """A small network trained on the embedded digits, and some of the test images."""
    train, test = (_tensors(split) for split in ("train", "test"))
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(100):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(train[0]), train[1]).backward()
        optimizer.step()
    return model.eval(), test[0][:n], test[1][:n]


def _tensors(split: str) -> tuple[Tensor, Tensor]:
    images = arrays.load(sources.resolve("digits", split))
    return torch.from_numpy(images.pixels).float() / 255, torch.from_numpy(images.labels)
