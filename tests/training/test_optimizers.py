"""Optimisers are torch's own, and do not load its compiler."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from advtool.training.config import resolve
from advtool.training.optimizers import optimizer_of
from advtool.training.options import Training
from advtool.training.state import optimizer_state, restore_optimizer

THEIRS = {
    "sgd": lambda weights: torch.optim.SGD(weights, 0.1, momentum=0.8, weight_decay=0.01),
    "adam": lambda weights: torch.optim.AdamW(weights, 0.1, betas=(0.8, 0.999), weight_decay=0.01),
}


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.Linear(4, 3))


def steps(model: nn.Module, optimizer: torch.optim.Optimizer, count: int) -> None:
    x = torch.rand(7, 5, generator=torch.Generator().manual_seed(1))
    for _ in range(count):
        optimizer.zero_grad()
        model(x).square().sum().backward()
        optimizer.step()


@pytest.mark.parametrize("kind", THEIRS)
def test_weights_after_some_steps_are_those_of_torchs_own(kind):
    asked = Training(optimizer=kind, lr=0.1, momentum=0.8, weight_decay=0.01)
    ours, theirs = network(), network()
    optimizer = optimizer_of(ours, resolve(asked, (1, 8, 8), False))
    steps(ours, optimizer, 3)
    kept = optimizer_state(optimizer)
    again = optimizer_of(ours, resolve(asked, (1, 8, 8), False))
    restore_optimizer(again, kept)
    steps(ours, again, 3)
    steps(theirs, THEIRS[kind](theirs.parameters()), 6)
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(mine, other) and mine.requires_grad


def test_training_does_not_load_the_compiler(tmp_path):
    code = (
        "import sys\nfrom advtool.cli import main\n"
        "try: main.main()\nexcept SystemExit: print('torch' in sys.modules, 'torch._dynamo' in sys.modules)"
    )
    words = ["train", "-n", "40", "--epochs", "1", "--arch", "linear", "--adv", "l2", "--eps", "0.1", "-q", "-o", "m"]
    done = subprocess.run([sys.executable, "-c", code, *words], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.split() == ["True", "False"], done.stderr
