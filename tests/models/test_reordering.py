"""A model with its logits in another order, or with a new last layer."""

import pytest
import torch

from advtool.models.classifier import ModelSpec
from advtool.models.registry import build
from advtool.models.reordering import class_dimensions, reordered, with_classes

CLASSES = ("a", "b", "c", "d")
ARCHITECTURES = [
    *("linear", "mlp", "cnn-small", "cnn", "resnet-tsipras", "resnet18", "vgg11", "densenet121", "inception"),
    *("wrn-10-1", "squeezenet1_0", "mobilenet_v3_small", "timm:resnet10t"),
]


def model(arch: str):
    torch.manual_seed(1)
    shape = (3, 32, 32)
    args = {} if arch in ("linear", "squeezenet1_0", "mobilenet_v3_small") or ":" in arch else {"width": 0.25}
    return build(ModelSpec(arch, CLASSES, shape, (0.5,) * 3, (0.25,) * 3, args)).eval()


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_logits_come_in_the_order_that_is_asked_for(arch):
    net = model(arch)
    x = torch.rand(2, 3, 32, 32)
    other = reordered(net, [2, 0])
    assert other.spec.classes == ("c", "a", "b", "d") and not other.training
    with torch.no_grad():
        torch.testing.assert_close(other(x), net(x)[:, [2, 0, 1, 3]])


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_a_new_last_layer_leaves_all_others(arch):
    net = model(arch)
    other = with_classes(net, ("x", "y"), seed=3)
    changed = class_dimensions(net.spec)
    assert other.spec.classes == ("x", "y") and 1 <= len(changed) <= 2
    for name, tensor in other.net.state_dict().items():
        assert tensor.shape[changed[name]] == 2 if name in changed else torch.equal(tensor, net.net.state_dict()[name])
    again = with_classes(net, ("x", "y"), seed=3)
    assert all(torch.equal(a, b) for a, b in zip(other.parameters(), again.parameters(), strict=True))
