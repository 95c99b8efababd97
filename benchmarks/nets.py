"""The networks that are attacked, and how they are made: ``python -m benchmarks.nets FOLDER [DATA]``.

DATA holds ``mnist`` and ``imagenette-32``; without it only the digits' networks are made.
"""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

import advtool
from advtool.data.arrays import load
from advtool.data.sources import resolve
from advtool.models.classifier import Classifier

ADVERSARIES = {"standard": [], "robust": ["--adv", "l2", "--eps"]}
RECIPES = {
    "digits": ("digits", "0.5", []),
    "mnist": ("mnist", "2", ["-n", "10000", "--epochs", "3"]),
    "imagenette": ("imagenette-32", "0.5", ["--arch", "resnet18", "--width", "0.25", "--schedule", "one-cycle"]),
}
EPOCHS = {"imagenette": {"standard": "8", "robust": "6"}}


@dataclass(frozen=True)
class Problem:
    """A network, images and the ball around them.

    Attributes
    ----------
    x, y : float32 in [0, 1], N×C×H×W; int64, N
    warm_up : only to get going: a job takes as few steps as it can
    """

    model: Classifier
    x: Tensor
    y: Tensor
    norm: str
    eps: float
    warm_up: bool = False

    def steps(self, count: int) -> int:
        return 2 if self.warm_up else count


def problem(net: Path, norm: str, eps: float, n: int) -> Problem:
    """The first `n` test images of what a network of `make` was trained on."""
    model = advtool.load(net).eval()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    kind = net.name.partition("-")[0]
    data = RECIPES[kind][0] if kind == "digits" else str((net.parent / "data").resolve() / RECIPES[kind][0])
    images = load(resolve(data, "test"), n)
    x = torch.from_numpy(images.pixels).float().contiguous()
    return Problem(model, x / 255 if images.pixels.dtype.kind == "u" else x, torch.tensor(images.labels), norm, eps)


def make(folder: Path, data: Path | None) -> None:
    """Train those that are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    if data and not (folder / "data").exists():
        (folder / "data").symlink_to(data.resolve())
    for kind, (source, eps, options) in RECIPES.items():
        for name, adversary in ADVERSARIES.items():
            path = folder / f"{kind}-{name}.safetensors"
            if path.exists() or (kind != "digits" and not data):
                continue
            line = ["train", "--data", source if kind == "digits" else str(folder / "data" / source), *options]
            line += [*adversary, *([eps, "--test-limit", "256"] if adversary else [])]
            line += ["--epochs", EPOCHS[kind][name]] if kind in EPOCHS else []
            subprocess.run([sys.executable, "-m", "advtool", *line, "-q", "-o", str(path)], check=True)


if __name__ == "__main__":
    make(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
