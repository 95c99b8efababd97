"""torchvision's and timm's networks, and widths."""

import pytest
import torch
import torchvision.models
from model_problems import CIFAR, MNIST, assert_works, narrow, spec

from advtool.errors import UsageError
from advtool.models.registry import NAMES, build, check_runs, find

IMAGENET = (3, 224, 224)
ON_ANY_SIZE = ["resnet34", "wide_resnet50_2", "vgg13_bn", "vgg19", "googlenet", "densenet169"]
WITHOUT_WIDTH = ["mobilenet_v3_small", "efficientnet_b0", "mnasnet0_5", "shufflenet_v2_x0_5", "regnet_y_400mf"]


@pytest.mark.parametrize("arch", ["resnet18", "resnet50", "vgg11", "vgg16", "densenet121", "googlenet", "vgg16_bn"])
def test_at_224_pixels_networks_are_torchvisions(arch):
    torch.manual_seed(0)
    with torch.device("meta"):
        reference = getattr(torchvision.models, arch)(num_classes=7)
        own = build(spec(arch, IMAGENET, 7)).net
    expected = {n: t.shape for n, t in reference.state_dict().items() if not n.startswith("aux")}
    assert {n: t.shape for n, t in own.state_dict().items()} == expected


@pytest.mark.parametrize("arch", [pytest.param("vgg11", marks=pytest.mark.slow), "densenet121", "googlenet"])
def test_logits_at_224_pixels_are_torchvisions(arch):
    torch.manual_seed(0)
    settings = {"aux_logits": True, "transform_input": False, "init_weights": False} if arch == "googlenet" else {}
    reference = getattr(torchvision.models, arch)(num_classes=7, **settings).eval()
    own = build(spec(arch, IMAGENET, 7)).eval()
    own.net.load_state_dict(
        {name: tensor for name, tensor in reference.state_dict().items() if not name.startswith("aux")}
    )
    x = torch.rand(1, *IMAGENET)
    with torch.no_grad():
        torch.testing.assert_close(own(x), reference((x - 0.4) / 0.25), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("arch", "layer", "size"),
    [("resnet18", "layer1", 32), ("densenet121", "features.denseblock1", 32), ("inception", "inception3a", 32)],
)
def test_small_images_reach_the_first_stage_in_full_size(arch, layer, size):
    model = build(narrow(arch)).eval()
    seen = []
    model.net.get_submodule(layer).register_forward_hook(lambda module, inputs, out: seen.append(out.shape[2:]))
    model(torch.rand(1, *CIFAR))
    assert seen == [(size, size)]


def test_vgg11_for_small_images_is_that_of_cifar():
    convolutions = [m.out_channels for m in build(spec("vgg11")).modules() if isinstance(m, torch.nn.Conv2d)]
    assert convolutions == [64, 128, 256, 256, 512, 512, 512, 512]
    quarter = [m.out_channels for m in build(spec("vgg11", width=0.25)).modules() if isinstance(m, torch.nn.Conv2d)]
    assert quarter == [16, 32, 64, 64, 128, 128, 128, 128]  # Suggala et al. 2019, figure 2b


@pytest.mark.parametrize("arch", [name for name in NAMES if name not in ("linear", "mlp", "wrn-34-10")])
def test_width_scales_every_layer(arch):
    """Twice the width is twice the outputs of each layer but the last, and twice the inputs but of the first."""

    def sizes(width: float) -> list[tuple[int, int]]:
        layers = [m for m in build(spec(arch, width=width)).modules() if hasattr(m, "weight") and m.weight.dim() > 1]
        return [tuple(m.weight.shape[:2]) for m in layers]

    single, double = sizes(0.125), sizes(0.25)
    assert [outputs for outputs, _ in double[:-1]] == [2 * outputs for outputs, _ in single[:-1]]
    assert [inputs for _, inputs in double[1:]] == [2 * inputs for _, inputs in single[1:]]
    assert single[-1][0] == double[-1][0] == 10


def test_width_one_is_the_network_itself():
    torch.manual_seed(0)
    plain = build(spec("resnet18"))
    torch.manual_seed(0)
    same = build(spec("resnet18", width=1.0))
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), same.parameters(), strict=True))


def test_width_is_refused_where_it_is_not_scaled():
    for arch in ("mobilenet_v2", "resnext50_32x4d"):
        with pytest.raises(UsageError, match="^width: "):
            build(spec(arch, width=0.5))


@pytest.mark.parametrize("arch", ["wrn-10-1", "wrn-16-2"])
def test_wide_resnets(arch, tmp_path):
    assert_works(spec(arch, CIFAR, 7), tmp_path)


@pytest.mark.parametrize(
    "arch", ["wrn-28", "wrn-27-10", "wrn-28-0", "resnet", "vgg", "resnet50_quantized", "timm:resnet-18", "timm:"]
)
def test_names_that_do_not_exist(arch):
    with pytest.raises(UsageError):
        build(spec(arch))


def test_wide_resnets_have_the_names_and_sizes_of_trades():
    with torch.device("meta"):
        model = build(spec("wrn-34-10"))
    state = model.net.state_dict()
    assert state["block1.layer.0.convShortcut.weight"].shape == (160, 16, 1, 1)
    assert {"block3.layer.4.bn2.running_var", "bn1.weight", "fc.bias"} <= state.keys()
    assert sum(p.numel() for p in model.parameters()) == 46_160_474  # as given for WRN-34-10


def test_images_that_are_too_small_are_refused_with_the_reason():
    model = build(spec("alexnet", MNIST))
    with pytest.raises(UsageError, match="alexnet cannot take 1×28×28 images"):
        check_runs(model)


def test_timm(tmp_path):
    pytest.importorskip("timm")
    for arch in ("timm:resnet10t", "timm:vit_tiny_patch16_224"):
        assert_works(spec(arch, CIFAR, 7), tmp_path)
    with pytest.raises(UsageError, match="did you mean resnet18"):
        build(spec("timm:resnet-18"))


def test_without_timm_the_way_to_get_it_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "timm", None)
    with pytest.raises(UsageError, match=r"pip install 'advtool\[timm\]'"):
        build(spec("timm:resnet18"))


@pytest.mark.slow
@pytest.mark.parametrize("shape", [MNIST, CIFAR, IMAGENET], ids=["28", "32", "224"])
@pytest.mark.parametrize("arch", [*NAMES, *ON_ANY_SIZE])
def test_every_architecture_on_every_size(arch, shape, tmp_path):
    assert_works(narrow(arch, shape), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("arch", ["resnet18", "resnet50", "vgg11", "vgg16", "densenet121", "inception", "wrn-28-10"])
def test_in_full_width(arch, tmp_path):
    assert_works(spec(arch, CIFAR, 7), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [MNIST, CIFAR, IMAGENET], ids=["28", "32", "224"])
@pytest.mark.parametrize("arch", [*WITHOUT_WIDTH, "swin_t", "timm:convnext_atto"])
def test_other_networks(arch, shape, tmp_path):
    if arch == "timm:convnext_atto" and shape == MNIST:
        pytest.skip("needs 32 pixels")
    assert_works(spec(arch, shape, 7), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("arch", ["inception_v3", "alexnet", "vit_b_32", "convnext_tiny", "maxvit_t"])
def test_networks_of_large_images(arch, tmp_path):
    assert_works(spec(arch, IMAGENET, 7), tmp_path)


def test_every_classifier_of_torchvision_has_a_builder():
    assert all(find(name) for name in torchvision.models.list_models(module=torchvision.models))
