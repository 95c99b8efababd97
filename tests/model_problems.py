"""Small models of every architecture, and what each must be able to do."""

import torch

import advtool
from advtool.attacks import L2, pgd
from advtool.datasets.distill import distill
from advtool.datasets.representation import representation
from advtool.models import checkpoint
from advtool.models.classifier import ModelSpec
from advtool.models.registry import build
from advtool.prepared import untouched

DIGITS, MNIST, CIFAR = (1, 8, 8), (1, 28, 28), (3, 32, 32)


def spec(arch: str, shape=CIFAR, classes: int = 10, **args) -> ModelSpec:
    channels = shape[0]
    return ModelSpec(arch, tuple(map(str, range(classes))), shape, (0.4,) * channels, (0.25,) * channels, args)


def narrow(arch: str, shape=CIFAR) -> ModelSpec:
    """Seven classes, and few channels where the architecture can be had so."""
    fixed = arch == "linear"
    return spec(arch, shape, 7, **({} if fixed else {"hidden": [8]} if arch == "mlp" else {"width": 1 / 16}))


def assert_works(wanted: ModelSpec, tmp_path) -> None:
    """Forward and backward in training mode, a file and back, an attack, a step of distillation, an affine head."""
    torch.manual_seed(0)
    model = build(wanted)
    x, y = torch.rand(2, *wanted.shape, requires_grad=True), torch.tensor([0, 6])
    logits = model(x)
    assert logits.shape == (2, 7)
    logits.square().sum().backward()
    assert x.grad.isfinite().all() and all(p.grad is not None for p in model.parameters())
    *_, head = (module for module in model.modules() if isinstance(module, torch.nn.Linear))
    assert head.out_features == 7
    path = tmp_path / "m.safetensors"
    path.write_bytes(checkpoint.to_bytes(model, seed=3))
    loaded = advtool.load(path)
    assert not loaded.training and loaded.spec == model.spec
    torch.testing.assert_close(loaded(x), model.eval()(x), rtol=0, atol=0)
    adversarial = pgd(loaded, x.detach(), y, L2(0.5), steps=1)
    assert (adversarial - x).flatten(1).norm(dim=1).max() <= 0.5001 and adversarial.isfinite().all()
    with untouched(loaded), representation(loaded) as represent:
        z, first, last = distill(represent, x.detach(), torch.rand_like(x), steps=1)
        assert represent(x).shape == (2, head.in_features)
    assert z.shape == x.shape and first.isfinite().all() and last.isfinite().all()
