"""The same network with a last layer for other classes."""

import pytest
import torch
from model_problems import spec

from advtool.models.classifier import ModelSpec
from advtool.models.heads import reordered, with_classes
from advtool.models.registry import build

NEW = ("ash", "birch", "cedar", "fir")
SPECS = [
    spec("linear"),
    spec("mlp", (1, 28, 28), hidden=[8, 6]),
    spec("cnn-small", (1, 8, 8), width=1 / 8),
    spec("cnn", (1, 28, 28), width=1 / 8),
    spec("resnet-tsipras", width=1 / 4),
    spec("wrn-10-1"),
    spec("preactresnet18", width=1 / 8),
    spec("dm-wrn-10-1"),
    spec("dm-preactresnet18", width=1 / 8),
    spec("resnet18", width=1 / 8),
    spec("vgg11", width=1 / 8),
    spec("vgg11", (3, 96, 96), width=1 / 16),
    spec("densenet121", width=1 / 8),
    spec("inception", width=1 / 8),
    spec("mobilenet_v3_small"),
    spec("squeezenet1_1"),
    spec("shufflenet_v2_x0_5"),
    spec("timm:test_resnet", (3, 64, 64)),
    spec("timm:test_vit", (3, 64, 64)),
]


def assert_only_the_head_is_new(old: ModelSpec) -> None:
    torch.manual_seed(0)
    model = build(old).eval()
    new = with_classes(model, NEW, seed=3)
    assert new.spec.classes == NEW and not new.training and new.spec.mean == old.mean
    mine, theirs = new.net.state_dict(), model.net.state_dict()
    assert mine.keys() == theirs.keys()
    changed = {name for name in mine if mine[name].shape != theirs[name].shape}
    assert 1 <= len(changed) <= 4 and len({name.rpartition(".")[0] for name in changed}) in (1, 2)
    assert all(torch.equal(mine[name], theirs[name]) for name in mine.keys() - changed)
    assert new(torch.rand(2, *old.shape)).shape == (2, 4)
    again, other = with_classes(model, NEW, seed=3), with_classes(model, NEW, seed=4)
    for name in changed:
        assert torch.equal(again.net.state_dict()[name], mine[name])
    assert any(not torch.equal(other.net.state_dict()[name], mine[name]) for name in changed)


def assert_logits_follow_the_classes(old: ModelSpec) -> None:
    torch.manual_seed(1)
    model, x = build(old).eval(), torch.rand(2, *old.shape)
    new = reordered(model, [2, 0])
    rest = [label for label in range(len(old.classes)) if label not in (0, 2)]
    assert new.spec.classes == tuple(old.classes[label] for label in (2, 0, *rest)) and not new.training
    with torch.no_grad():
        torch.testing.assert_close(new(x), model(x)[:, [2, 0, *rest]])


@pytest.mark.parametrize("old", SPECS, ids=lambda old: f"{old.arch}-{old.shape[1]}")
def test_only_the_last_layer_is_drawn_anew_or_put_in_order(old):
    if old.arch.startswith("timm:"):
        pytest.importorskip("timm")
    assert_only_the_head_is_new(old)
    assert_logits_follow_the_classes(old)


@pytest.mark.parametrize(
    ("name", "config"),
    [
        (
            "ResNetForImageClassification",
            {"model_type": "resnet", "embedding_size": 8, "hidden_sizes": [8], "depths": [1], "layer_type": "basic"},
        ),
        (
            "ViTForImageClassification",
            {
                **{"model_type": "vit", "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2},
                **{"intermediate_size": 16, "patch_size": 8},
            },
        ),
    ],
)
def test_networks_of_transformers(name, config):
    pytest.importorskip("transformers")
    assert_only_the_head_is_new(spec(f"transformers:{name}", config=config))


def test_as_many_classes_get_a_new_layer_too_and_nothing_else_is_drawn():
    model = build(spec("linear"))
    state = torch.random.get_rng_state()
    new = with_classes(model, tuple("abcdefghij"), seed=0)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not torch.equal(new.net[1].weight, model.net[1].weight) and new.training
