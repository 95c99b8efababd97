"""Bounds over boxes: exact for linear models, below every corner, below the linear program, above intervals."""

import itertools

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from torch import nn

from advtool.certification.relaxation import Box, layers_of, least_margins
from advtool.errors import AdvtoolError

SHAPE = (1, 2, 4)


def mlp(*sizes: int, seed: int = 0) -> nn.Sequential:
    """Layers of very different scales."""
    torch.manual_seed(seed)
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs, outputs in itertools.pairwise((8, *sizes, 3)):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        layers[-2].weight.data *= torch.logspace(-0.5, 0.7, inputs)
    return nn.Sequential(*layers[:-1]).double()


def cnn(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.ReLU(),
        nn.Flatten(), nn.Linear(8, 3),
    ).double()  # fmt: skip


NETS = {"linear": mlp(), "mlp": mlp(6), "deep": mlp(6, 7, 5), "cnn": cnn()}


def box(eps: float, seed: int = 1) -> Box:
    x = torch.rand(SHAPE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return Box((x - eps).clamp(0, 1), (x + eps).clamp(0, 1))


def corners(here: Box) -> torch.Tensor:
    picks = torch.tensor(list(itertools.product((0.0, 1.0), repeat=8)), dtype=torch.float64).view(-1, *SHAPE)
    return here.low + picks * (here.high - here.low)


def margins(net: nn.Module, x: torch.Tensor, label: int) -> torch.Tensor:
    logits = net(x)
    return (logits[:, label : label + 1] - logits)[:, [k for k in range(3) if k != label]]


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("eps", [0.01, 0.1, 0.4])
def test_no_corner_and_no_image_inside_is_below_the_bound(name, eps):
    net = NETS[name]
    for seed, label in itertools.product(range(4), range(3)):
        here = box(eps, seed)
        bound = least_margins(layers_of(net, SHAPE), here, label)
        inside = here.low + torch.rand(500, *SHAPE, dtype=torch.float64) * (here.high - here.low)
        found = margins(net, torch.cat([corners(here), inside]), label).amin(0)
        assert (bound <= found + 1e-9).all()
        if name == "linear":
            torch.testing.assert_close(bound, margins(net, corners(here), label).amin(0))


@pytest.mark.parametrize("name", NETS)
def test_on_a_point_the_bound_is_the_margin(name):
    here = box(0.0)
    found = margins(NETS[name], here.low[None], 1)[0]
    torch.testing.assert_close(least_margins(layers_of(NETS[name], SHAPE), here, 1), found)


def program(net: nn.Sequential, here: Box, label: int, other: int) -> tuple[float, float]:
    """(least margin under the triangle relaxation of one hidden layer, the same of intervals)."""
    first, last = net[1], net[3]
    w, b = first.weight.detach().numpy(), first.bias.detach().numpy()
    middle, half = ((here.low + here.high) / 2).flatten().numpy(), ((here.high - here.low) / 2).flatten().numpy()
    low, high = w @ middle + b - abs(w) @ half, w @ middle + b + abs(w) @ half
    n, m = len(middle), len(b)
    c = (last.weight[label] - last.weight[other]).detach().numpy()
    a, limit = [], []
    for k in range(m):  # h ≥ z, and h ≤ u(z − l)/(u − l) where the sign is open
        row = np.zeros(n + m)
        row[:n], row[n + k] = w[k], -1
        a.append(row)
        limit.append(-b[k])
        if low[k] < 0 < high[k]:
            slope = high[k] / (high[k] - low[k])
            row = np.zeros(n + m)
            row[:n], row[n + k] = -slope * w[k], 1
            a.append(row)
            limit.append(slope * (b[k] - low[k]))
        elif low[k] >= 0:
            a.append(-a[-1])
            limit.append(b[k])
    flat = [(lo, hi) for lo, hi in zip(here.low.flatten().tolist(), here.high.flatten().tolist(), strict=True)]
    ranges = flat + [(max(lo, 0), max(hi, 0)) for lo, hi in zip(low, high, strict=True)]
    done = linprog(np.concatenate([np.zeros(n), c]), A_ub=np.array(a), b_ub=np.array(limit), bounds=ranges)
    assert done.status == 0
    constant = float((last.bias[label] - last.bias[other]).detach())
    h_low, h_high = low.clip(0), high.clip(0)
    return done.fun + constant, float((c.clip(0) * h_low + c.clip(max=0) * h_high).sum() + constant)


@pytest.mark.parametrize("eps", [0.02, 0.1, 0.3])
def test_the_bound_is_between_intervals_and_the_linear_program(eps):
    closer = 0
    for seed in range(6):
        net, here = mlp(6, seed=seed), box(eps, seed)
        bounds = least_margins(layers_of(net, SHAPE), here, 0)
        for bound, other in zip(bounds.tolist(), (1, 2), strict=True):
            best, intervals = program(net, here, 0, other)
            assert intervals - 1e-9 <= bound <= best + 1e-7
            closer += bound > intervals + 1e-6
    assert closer >= 4


def test_other_networks_are_refused():
    for net in (
        nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.MaxPool2d(2)),
        nn.Linear(8, 3),
        nn.Sequential(nn.Sigmoid()),
    ):
        with pytest.raises(AdvtoolError, match="bounds are for"):
            layers_of(net.double(), SHAPE)
