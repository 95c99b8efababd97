"""Files of RobustBench's networks give the logits of those networks, and say which they are where that is decided."""

import warnings

import pytest
import torch
import torchvision
from model_problems import spec
from published_networks import DMPreActResNet, DMWideResNet, Normalised, PreActResNet, randomised

import advtool
from advtool.errors import UsageError
from advtool.models.guessing import guess
from advtool.models.normalisers import CheckpointWarning
from advtool.models.registry import build

X = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def saved(content, tmp_path) -> str:
    torch.save(content, tmp_path / "x.pt")
    return str(tmp_path / "x.pt")


def assert_same_logits(mine, theirs) -> None:
    with torch.no_grad():
        torch.testing.assert_close(mine(X), theirs(X), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("arch", "options"),
    [
        ("preactresnet18", {}),
        ("preactresnet18", {"late": True, "norm": True}),
        ("preactresnet18-v2", {"late": True}),
        ("preactresnet34", {"units": (3, 4, 6, 3), "late": True, "norm": True, "classes": 100}),
    ],
)
def test_preactivation_resnets(arch, options, tmp_path):
    theirs = randomised(Normalised(PreActResNet(**options)))
    mine = advtool.load(saved({"state_dict": theirs.state()}, tmp_path), arch=arch)
    assert mine.spec.shape == (3, 32, 32) and len(mine.spec.classes) == options.get("classes", 10)
    assert_same_logits(mine, theirs)


@pytest.mark.parametrize(
    ("arch", "theirs"),
    [
        ("dm-wrn-10-2", DMWideResNet(10, 2)),
        ("dm-wrn-16-1", DMWideResNet(16, 1, classes=7)),
        ("dm-preactresnet18", DMPreActResNet()),
        ("dm-preactresnet34", DMPreActResNet((3, 4, 6, 3), classes=100)),
    ],
    ids=["wide-10", "wide-16", "preact-18", "preact-34"],
)
def test_networks_of_deepmind(arch, theirs, tmp_path):
    randomised(theirs)
    mine = advtool.load(saved({f"module.{name}": t for name, t in theirs.state_dict().items()}, tmp_path), arch=arch)
    assert_same_logits(mine, theirs)


def test_networks_of_deepmind_without_their_normaliser(tmp_path):
    theirs = randomised(DMWideResNet(10, 1))
    state = {name: tensor for name, tensor in theirs.state_dict().items() if name not in ("mean", "std")}
    path = saved({"model_state_dict": state}, tmp_path)
    with pytest.warns(CheckpointWarning, match="that of its authors"):
        assert_same_logits(advtool.load(path, arch="dm-wrn-10-1"), theirs)
    assert advtool.load(path, arch="dm-wrn-10-1", normalize="none").spec.mean == (0, 0, 0)


@pytest.mark.parametrize(
    ("arch", "net"),
    [
        ("dm-wrn-16-2", lambda: DMWideResNet(16, 2)),
        ("dm-preactresnet18", DMPreActResNet),
        ("preactresnet18", lambda: PreActResNet(late=True, norm=True)),
        ("preactresnet18 preactresnet18-v2", PreActResNet),
        ("wrn-22-3", lambda: build(spec("wrn-22-3")).net),
        ("resnet18", lambda: build(spec("resnet18")).net),
        ("resnet34", lambda: torchvision.models.resnet34(num_classes=4)),
        ("resnext50_32x4d", lambda: torchvision.models.resnext50_32x4d(num_classes=4)),
        ("vgg11", lambda: build(spec("vgg11")).net),
        ("densenet121", lambda: torchvision.models.densenet121(num_classes=4)),
        ("cnn-small", lambda: build(spec("cnn-small", (1, 8, 8))).net),
        ("resnet-tsipras", lambda: build(spec("resnet-tsipras")).net),
        ("", lambda: torchvision.models.mobilenet_v2(num_classes=4)),
        ("", lambda: torch.nn.Linear(3, 4)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_names_and_shapes_decide_which_architecture_it_is(arch, net):
    state = {f"module.{name}": tensor for name, tensor in net().state_dict().items()}
    assert guess(state) == arch.split()


def test_what_was_guessed_is_said_and_what_is_not_decided_is_asked(tmp_path):
    net = randomised(DMWideResNet(10, 1))
    with pytest.warns(CheckpointWarning, match=r"taken for a dm-wrn-10-1, by its names and shapes"):
        assert_same_logits(advtool.load(saved(net.state_dict(), tmp_path)), net)
    with pytest.raises(UsageError, match="^arch: needed, .* fit preactresnet18 and preactresnet18-v2"):
        advtool.load(saved(PreActResNet().state_dict(), tmp_path))
    with pytest.raises(UsageError, match="^arch: needed, .* fits none that can be guessed"):
        advtool.load(saved({"encoder.weight": torch.ones(3, 4)}, tmp_path))


def test_new_architectures_can_be_trained_on_any_size():
    for arch in ("preactresnet18", "dm-wrn-10-1", "dm-preactresnet18"):
        model = build(spec(arch, (1, 28, 28), 5, width=1 / 16))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert model(torch.rand(2, 1, 28, 28)).shape == (2, 5)
