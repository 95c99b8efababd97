"""Images and models of them that are evaluated within a second."""

import functools

import torch
from torch import nn

from advtool.attacks import Ball
from advtool.data.arrays import Images, load
from advtool.data.sources import resolve
from advtool.device import Settings
from advtool.evaluation.plan import Stage
from advtool.registry import ensemble, plans

SETTINGS = Settings(torch.device("cpu"))


@functools.cache
def digits(n: int = 100) -> Images:
    return load(resolve("digits", "test"), n)


def tensors(images: Images) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.tensor(images.pixels).float() / 255, torch.tensor(images.labels)


def linear(seed: int = 0) -> nn.Module:
    """A linear model of the digits, whose gradients hide nothing."""
    x, y = tensors(load(resolve("digits", "train")))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
        optimizer = torch.optim.Adam(net.parameters(), 0.02)
        for _ in range(60 + 20 * seed):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x), y).backward()
            optimizer.step()
        optimizer.zero_grad()
    return net.eval()


def stage(names: str, ball: Ball, **asked) -> Stage:
    return Stage(plans(ensemble(names), ball, asked))
