"""Problems to attack: models and inputs, some with a known answer."""

import torch
from torch import Tensor, nn

from advtool.norms import ball

DUAL = {"l2": 2, "linf": 1, "l1": torch.inf}


def linear_problem(n: int, dim: int, seed: int = 0):
    """A two-class linear model, points around the middle of the box, and each point's distance to the boundary."""
    generator = torch.Generator().manual_seed(seed)
    model = nn.Sequential(nn.Flatten(), nn.Linear(dim, 2))
    nn.init.normal_(model[1].weight, generator=generator)
    nn.init.zeros_(model[1].bias)
    x = 0.5 + 0.05 * (torch.rand(n, 1, 1, dim, generator=generator) - 0.5)
    with torch.no_grad():
        model[1].bias[0] = -(
            model(torch.full((1, 1, 1, dim), 0.5))[0, 0] - model(torch.full((1, 1, 1, dim), 0.5))[0, 1]
        )
        logits = model(x)
    y = logits.argmax(1)
    w = model[1].weight[1] - model[1].weight[0]
    margin = (logits[:, 1] - logits[:, 0]).abs()
    return model, x, y, {norm: (margin / w.norm(p=q)).detach() for norm, q in DUAL.items()}


class Curved(nn.Module):
    """A small network with batch norm and dropout, so that modes and buffers matter."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.body = nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(4 * 36, 3)
        )

    def forward(self, x):
        return self.body(x)


def batch(n: int = 12):
    generator = torch.Generator().manual_seed(2)
    return torch.rand(n, 1, 8, 8, generator=generator), torch.randint(0, 3, (n,), generator=generator)


def digits(split: str = "test") -> tuple[Tensor, Tensor]:
    """The embedded digits: (pixels in [0, 1], labels)."""
    from advtool.data.arrays import load
    from advtool.data.sources import resolve

    images = load(resolve("digits", split))
    return torch.tensor(images.pixels).float() / 255, torch.tensor(images.labels)


def digits_model(epochs: int = 60, hidden: int = 64) -> nn.Module:
    """A network trained on the digits for a second, with noise so that some robustness is left to measure."""
    x, y = digits("train")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Flatten(), nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, 10))
        optimizer = torch.optim.Adam(model.parameters(), 0.01)
        for _ in range(epochs):
            noisy = (x + 0.1 * torch.randn_like(x)).clamp(0, 1)
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(noisy), y).backward()
            optimizer.step()
    return model.eval()


@torch.no_grad()
def survivors(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Which examples are still classified correctly."""
    return model(x).argmax(1) == y


def check_contained(adversarial: Tensor, inputs: Tensor, norm: str, eps: float) -> None:
    assert adversarial.shape == inputs.shape and adversarial.dtype == inputs.dtype
    assert not adversarial.requires_grad and not adversarial.is_inference()
    assert adversarial.isfinite().all() and adversarial.min() >= 0 and adversarial.max() <= 1
    assert ball(norm).norm(adversarial.double() - inputs.double()).max() <= eps * (1 + 1e-6)


def snapshot(model: nn.Module) -> list:
    """Everything about a model that an attack must leave alone."""
    return [
        [module.training for module in model.modules()],
        [(parameter.requires_grad, parameter.grad) for parameter in model.parameters()],
        [value.flatten().tolist() for value in model.state_dict().values()],
    ]


class Overconfident(nn.Module):
    """In reduced precision it is sure that everything is of class 1; in float32 it is `net`."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        lies = torch.is_autocast_enabled(x.device.type)
        with torch.autocast(x.device.type, enabled=False):
            return self.net(x) + 1e3 * lies * torch.tensor([0.0, 1.0], device=x.device)


class Counted(nn.Module):
    """Counts the images that it is asked about."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net, self.images = net, 0

    def forward(self, x: Tensor) -> Tensor:
        self.images += len(x)
        return self.net(x)
