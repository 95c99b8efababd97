"""Files in the layouts of robustness, RobustBench and torchvision, made here, give the logits of the original."""

import argparse
import io
import shlex
from collections import OrderedDict

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchvision
from model_problems import spec
from torch import nn

import advtool
from advtool.errors import AdvtoolError, UsageError
from advtool.models.normalisers import CheckpointWarning, normaliser
from advtool.models.registry import build

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)


class CifarBlock(nn.Module):
    """A residual unit as those libraries name its parts: `shortcut`, where torchvision says `downsample`."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(out + self.shortcut(x))


class CifarResNet18(nn.Module):
    def __init__(self, classes: int = 10):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64)
        inputs = 64
        for index, size in enumerate((64, 128, 256, 512)):
            first = CifarBlock(inputs, size, 1 if index == 0 else 2)
            setattr(self, f"layer{index + 1}", nn.Sequential(first, CifarBlock(size, size, 1)))
            inputs = size
        self.linear = nn.Linear(512, classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.linear(F.avg_pool2d(x, 4).flatten(1))


class InputNormalize(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("new_mean", torch.tensor(MEAN)[..., None, None])
        self.register_buffer("new_std", torch.tensor(STD)[..., None, None])

    def forward(self, x):
        return (x - self.new_mean) / self.new_std


class Attacker(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.normalize, self.model = InputNormalize(), model


class AttackerModel(nn.Module):
    """The wrapper of robustness, which registers the network twice."""

    def __init__(self, model):
        super().__init__()
        self.normalizer, self.model, self.attacker = InputNormalize(), model, Attacker(model)

    def forward(self, x):
        return self.model(self.normalizer(x))


class Wrapped(nn.Module):
    """As DataParallel, whose names begin with `module.`."""

    def __init__(self, module):
        super().__init__()
        self.module = module


def randomised(model: nn.Module) -> nn.Module:
    """With batch statistics that are not those of initialisation."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return model.eval()


@pytest.fixture(scope="module")
def original() -> AttackerModel:
    torch.manual_seed(0)
    return randomised(AttackerModel(CifarResNet18()))


@pytest.fixture
def robustness_file(original, tmp_path):
    """A checkpoint as robustness writes it, but for the objects that need dill."""
    path = tmp_path / "cifar.pt"
    optimizer = torch.optim.SGD(original.parameters(), 0.1, momentum=0.9)
    state = Wrapped(original).state_dict()
    assert {"module.model.linear.weight", "module.attacker.model.linear.weight"} <= state.keys()
    assert {"module.normalizer.new_mean", "module.attacker.normalize.new_std"} <= state.keys()
    content = {"model": state, "optimizer": optimizer.state_dict(), "schedule": {}, "epoch": 150, "amp": None}
    torch.save(content, path)
    return path


def images(n: int = 2, side: int = 32) -> torch.Tensor:
    return torch.rand(n, 3, side, side, generator=torch.Generator().manual_seed(1))


def assert_same_logits(mine: nn.Module, theirs: nn.Module, x: torch.Tensor) -> None:
    with torch.no_grad():
        torch.testing.assert_close(mine(x), theirs(x), rtol=1e-4, atol=1e-5)


def saved(content, tmp_path, name: str = "x.pt", **options) -> str:
    torch.save(content, tmp_path / name, **options)
    return str(tmp_path / name)


def test_a_file_of_robustness_gives_the_logits_of_its_model(original, robustness_file):
    loaded = advtool.load(robustness_file, arch="resnet18")
    assert (loaded.spec.shape, len(loaded.spec.classes)) == ((3, 32, 32), 10)
    assert loaded.spec.mean == pytest.approx(MEAN) and loaded.spec.std == pytest.approx(STD)
    assert not loaded.training
    assert_same_logits(loaded, original, images())


def test_the_format_before_zip_is_read_as_well(original, tmp_path):
    path = saved({"state_dict": original.state_dict()}, tmp_path, _use_new_zipfile_serialization=False)
    assert_same_logits(advtool.load(path, arch="resnet18"), original, images())


@pytest.mark.parametrize("prefix", ["", "module.", "model.", "module.model.", "net.", "_orig_mod.module."])
def test_any_prefix(original, tmp_path, prefix):
    state = OrderedDict((prefix + name, tensor) for name, tensor in original.model.state_dict().items())
    with pytest.warns(CheckpointWarning, match="no normaliser"):
        loaded = advtool.load(saved(state, tmp_path), arch="resnet18")
    assert_same_logits(loaded, original.model, images())


@pytest.mark.parametrize("names", [("mu", "sigma"), ("normalize.mean", "normalize.std"), ("0.mean", "0.std")])
def test_normalisers_of_others(original, tmp_path, names):
    state = original.model.state_dict() | {
        names[0]: torch.tensor(MEAN).view(1, 3, 1, 1),
        names[1]: torch.tensor(STD).view(1, 3, 1, 1),
    }
    assert_same_logits(advtool.load(saved(state, tmp_path), arch="resnet18"), original, images())


def test_robustbench_wide_resnets(tmp_path):
    torch.manual_seed(0)
    model = randomised(build(spec("wrn-10-2")))
    state = {f"module.{name}": tensor for name, tensor in model.net.state_dict().items()}
    state["module.sub_block1.layer.0.bn1.weight"] = torch.ones(16)  # in Carmon2019, not used in its forward pass
    loaded = advtool.load(saved({"state_dict": state}, tmp_path), arch="wrn-10-2", normalize="none")
    assert_same_logits(loaded, model.net, images())


def test_vggs_of_robustness_have_the_names_of_ours(tmp_path):
    torch.manual_seed(0)
    features = torchvision.models.vgg11_bn(num_classes=2).features
    theirs = nn.Sequential(OrderedDict(features=features, flat=nn.Flatten(), classifier=nn.Linear(512, 10)))
    randomised(theirs)
    loaded = advtool.load(saved(theirs.state_dict(), tmp_path), arch="vgg11", normalize="none")
    assert_same_logits(loaded, theirs, images())


@pytest.mark.parametrize(
    ("arch", "classes"),
    [("resnet18", 12), ("densenet121", 7), ("googlenet", 5), ("mobilenet_v2", 3)],
)
def test_plain_torchvision(tmp_path, arch, classes):
    torch.manual_seed(0)
    options = {"init_weights": False} if arch == "googlenet" else {}
    theirs = getattr(torchvision.models, arch)(num_classes=classes, **options).eval()
    loaded = advtool.load(saved(theirs.state_dict(), tmp_path), arch=arch, normalize="imagenet")
    assert len(loaded.spec.classes) == classes
    assert loaded.spec.shape == ((3, 32, 32) if arch == "mobilenet_v2" else (3, 224, 224))
    if arch == "mobilenet_v2":
        return  # its weights fit images of both sizes, and the strides differ
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = images(1, 96)
    normalised = (x - mean.view(3, 1, 1)) / std.view(3, 1, 1)
    with torch.no_grad():
        torch.testing.assert_close(loaded(x), theirs(normalised), rtol=1e-4, atol=1e-5)


def test_files_without_counters_of_batches(original, tmp_path):
    state = {name: t for name, t in original.state_dict().items() if "num_batches" not in name}
    assert_same_logits(advtool.load(saved(state, tmp_path), arch="resnet18"), original, images())


def test_arguments_of_the_architecture(tmp_path):
    model = build(spec("mlp", (1, 28, 28), hidden=[6, 5]))
    path = saved(model.net.state_dict(), tmp_path)
    loaded = advtool.load(path, arch="mlp", hidden=[6, 5], normalize="0.4/0.25")
    assert loaded.spec.shape == (1, 28, 28)
    assert_same_logits(loaded, model.eval(), torch.rand(2, 1, 28, 28))
    with pytest.raises(AdvtoolError, match="does not fit architecture mlp"):
        advtool.load(path, arch="mlp", normalize="none")


class Bystander:
    pass


@pytest.mark.parametrize("payload", ["function", "namespace", "module", "numpy"])
def test_pickles_that_hold_objects_are_refused_with_the_way_out(original, tmp_path, payload):
    dill = pytest.importorskip("dill")
    state, local = original.state_dict(), 3
    content = {
        "function": {"model": state, "args": lambda x: x + local},
        "namespace": {"model": state, "args": argparse.Namespace(lr=0.1)},
        "module": CifarResNet18(),
        "numpy": {"model": state, "best": np.float64(0.5)},
    }[payload]
    options = {"pickle_module": dill} if payload == "function" else {}
    path = saved(content, tmp_path, **options)
    with pytest.raises(AdvtoolError) as caught:
        advtool.load(path, arch="resnet18")
    message = str(caught.value)
    assert "refused" in message and "weights_only=False" in message and "\n" not in message
    assert ("dill" in message) == (payload == "function")
    exec(shlex.split(message[message.index("python -c ") :])[2], {"__name__": "way out"})
    assert_same_logits(
        advtool.load(
            tmp_path / "x.tensors.pt", arch="resnet18", **({"normalize": "none"} if payload == "module" else {})
        ),
        content.eval() if payload == "module" else original,
        images(),
    )


def test_the_way_out_keeps_the_moving_average(original, tmp_path):
    state = original.state_dict()
    average = {name: tensor if "normal" in name else tensor * 0 for name, tensor in state.items()}
    content = {"state_dict": state, "state_dict_ema": average, "args": argparse.Namespace(lr=0.1), "epoch": 3}
    with pytest.raises(AdvtoolError) as caught:
        advtool.load(saved(content, tmp_path), arch="resnet18")
    message = str(caught.value)
    exec(shlex.split(message[message.index("python -c ") :])[2], {"__name__": "way out"})
    with pytest.warns(CheckpointWarning, match="took the weights 'state_dict_ema'"):
        assert not advtool.load(tmp_path / "x.tensors.pt", arch="resnet18").net.fc.weight.any()


def test_nothing_in_a_refused_pickle_is_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "exploded"), "w"))

    path = saved({"model": {"a": torch.ones(2)}, "x": Bomb()}, tmp_path)
    with pytest.raises(AdvtoolError, match="refused"):
        advtool.load(path, arch="resnet18")
    assert not (tmp_path / "exploded").exists()


def test_damaged_files(robustness_file, tmp_path):
    whole = robustness_file.read_bytes()
    path = tmp_path / "x.pt"
    for content in (whole[: len(whole) // 2], b"PK\x03\x04" + bytes(600)):
        path.write_bytes(content)
        with pytest.raises(AdvtoolError, match="damaged"):
            advtool.load(path, arch="resnet18")
    arrays = io.BytesIO()
    np.savez(arrays, images=np.zeros(3))
    path.write_bytes(arrays.getvalue())
    with pytest.raises(AdvtoolError, match="no PyTorch file"):
        advtool.load(path, arch="resnet18")
    for content in ({"epoch": 3}, torch.ones(2), {}, {"model": {"a": 1}}):
        with pytest.raises(AdvtoolError, match="without a state dict"):
            advtool.load(saved(content, tmp_path), arch="resnet18")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s["attacker.model.conv1.weight"].add_(1), "two networks that differ"),
        (lambda s: s["attacker.normalize.new_mean"].add_(1), "normalisers that differ"),
        (lambda s: s["normalizer.new_std"].zero_(), "no means and deviations"),
        (lambda s: s["normalizer.new_mean"].fill_(float("nan")), "not finite"),
        (lambda s: s.update({"model.extra": torch.ones(1)}), "unknown 'model.extra'"),
        (
            lambda s: [s.pop(f"{p}model.layer4.1.bn2.bias") for p in ("", "attacker.")],
            "lacks 'model.layer4.1.bn2.bias'",
        ),
    ],
    ids=["copies", "normalisers", "zero", "nan", "extra", "missing"],
)
def test_files_that_do_not_fit(original, tmp_path, change, words):
    state = {name: tensor.clone() for name, tensor in original.state_dict().items()}
    change(state)
    with pytest.raises(AdvtoolError, match=words):
        advtool.load(saved(state, tmp_path), arch="resnet18")


def test_another_architecture(robustness_file):
    for arch in ("resnet50", "linear"):
        with pytest.raises(AdvtoolError, match=f"does not fit architecture {arch}"):
            advtool.load(robustness_file, arch=arch)
    with pytest.raises(UsageError, match="unknown architecture"):
        advtool.load(robustness_file, arch="resnet-18")


def test_a_normaliser_is_never_replaced(robustness_file, original):
    with pytest.raises(UsageError, match="normaliser of its own"):
        advtool.load(robustness_file, arch="resnet18", normalize="imagenet")
    same = advtool.load(robustness_file, arch="resnet18", normalize="0.4914,0.4822,0.4465/0.2023,0.1994,0.2010")
    assert_same_logits(same, original, images())


@pytest.mark.parametrize("text", ["imagnet", "0.5/0.2", "1,1,1/0,1,1", "1,1,1", "a,b,c/1,1,1", "1,1,1/1,1,nan", ""])
def test_values_of_normalize(text):
    with pytest.raises(UsageError, match="^normalize "):
        normaliser(text, 3)
