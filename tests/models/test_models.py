import json

import pytest
import torch
import torchvision
from model_problems import CIFAR, DIGITS, MNIST, assert_works, narrow, spec

import advtool
from advtool.errors import AdvtoolError, UsageError
from advtool.io import checkpoints, streams
from advtool.models import checkpoint, registry
from advtool.models.registry import NAMES, build


@pytest.mark.parametrize("arch", NAMES)
@pytest.mark.parametrize("shape", [DIGITS, MNIST, CIFAR], ids=["8", "28", "32"])
def test_every_architecture_goes_forward_backward_and_through_a_file(arch, shape, tmp_path):
    assert_works(narrow(arch, shape), tmp_path)


def test_normalisation_is_inside_and_not_in_the_state_dict():
    model = build(spec("linear", DIGITS))
    x = torch.rand(3, *DIGITS)
    assert torch.allclose(model(x), model.net((x - 0.4) / 0.25))
    assert all(name.startswith("net.") for name in model.state_dict())


@pytest.mark.parametrize("arch", ["resnet18", "resnet50"])
def test_resnets_keep_torchvisions_names(arch):
    reference = getattr(torchvision.models, arch)(num_classes=10).state_dict()
    own = build(spec(arch)).net.state_dict()
    assert own.keys() == reference.keys()
    assert own["conv1.weight"].shape == (64, 3, 3, 3)
    large = build(spec(arch, (3, 224, 224))).net.state_dict()
    assert {name: t.shape for name, t in large.items()} == {name: t.shape for name, t in reference.items()}


def test_resnets_do_not_shrink_small_images_before_the_first_stage():
    net = build(spec("resnet18")).net
    assert net.maxpool(net.conv1(torch.rand(1, 3, 32, 32))).shape == (1, 64, 32, 32)


def test_the_tsipras_resnet_has_five_units_of_16_32_64():
    model = build(spec("resnet-tsipras"))
    convolutions = [m for m in model.modules() if isinstance(m, torch.nn.Conv2d)]
    assert [c.out_channels for c in convolutions] == [16] + 10 * [16] + 10 * [32] + 10 * [64]
    assert sum(c.stride == (2, 2) for c in convolutions) == 2
    linear = [m for m in model.modules() if isinstance(m, torch.nn.Linear)]
    assert [(m.in_features, m.out_features) for m in linear] == [(64, 10)]


def test_the_mnist_cnn_is_that_of_the_tensorflow_tutorial():
    shapes = [tuple(p.shape) for name, p in build(spec("cnn", MNIST)).net.named_parameters() if "weight" in name]
    assert shapes == [(32, 1, 5, 5), (64, 32, 5, 5), (1024, 64 * 7 * 7), (10, 1024)]


def test_width_and_hidden_sizes():
    assert build(spec("cnn-small", DIGITS, width=0.5)).net[0].out_channels == 32
    layers = [
        m.out_features for m in build(spec("mlp", MNIST, hidden=[512, 512, 320])).net if hasattr(m, "out_features")
    ]
    assert layers == [512, 512, 320, 10]
    with pytest.raises(UsageError, match="^width: "):
        build(spec("linear", width=2.0))


def test_default_architectures():
    found = [registry.default_arch(s) for s in (DIGITS, MNIST, CIFAR, (3, 224, 224))]
    assert found == ["cnn-small", "cnn", "resnet18", "resnet50"]


def test_unknown_architectures_are_named_with_their_nearest():
    with pytest.raises(UsageError, match="resnet18"):
        build(spec("resnet-18"))


def damaged(tmp_path, change) -> str:
    torch.manual_seed(0)
    model = build(spec("mlp", DIGITS, hidden=[4]))
    tensors, meta = dict(model.net.state_dict()), model.spec.to_json()
    change(tensors, meta)
    path = tmp_path / "m.safetensors"
    path.write_bytes(checkpoints.to_bytes(tensors, meta))
    return str(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t, m: t.pop("1.weight"), "lacks '1.weight'"),
        (lambda t, m: t.update(extra=torch.zeros(1)), "unknown 'extra'"),
        (lambda t, m: t.update({"1.weight": torch.zeros(2, 2)}), "other shapes in '1.weight'"),
        (lambda t, m: t["1.bias"].fill_(float("nan")), "'1.bias' is not finite"),
        (lambda t, m: m.update(arch="vgg"), "unknown architecture 'vgg'"),
        (lambda t, m: m.pop("mean"), "incomplete checkpoint metadata"),
        (lambda t, m: m.update(shape=[8]), "incomplete checkpoint metadata"),
        (lambda t, m: m.update(args={"hidden": "many"}), "architecture mlp with hidden"),
    ],
    ids=["missing", "extra", "shape", "nan", "arch", "no mean", "bad shape", "bad args"],
)
def test_checkpoints_that_do_not_fit_are_refused(tmp_path, change, words):
    path = damaged(tmp_path, change)
    with pytest.raises(AdvtoolError, match=words):
        advtool.load(path)


def test_metadata_is_one_key_of_sorted_json(tmp_path):
    path = tmp_path / "m.safetensors"
    path.write_bytes(checkpoint.to_bytes(build(spec("linear", DIGITS)), training={"b": 1, "a": 2}, seed=5))
    data = path.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert list(header["__metadata__"]) == ["advtool"]
    text = header["__metadata__"]["advtool"]
    assert text == json.dumps(json.loads(text), sort_keys=True)
    meta = checkpoints.read(streams.open_path(path)).meta
    assert meta["schema"] == 1 and meta["seed"] == 5 and meta["versions"]["torch"] == torch.__version__.split("+")[0]
    assert {"arch", "args", "classes", "shape", "mean", "std"} <= meta.keys()
