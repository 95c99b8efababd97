"""What processors of transformers say about sizes, in every way in which they were written over the years."""

import pytest

from advtool.errors import AdvtoolError
from advtool.models.described import describe

SIDE = {"height": 256, "width": 256}
CONVNEXT = {"image_processor_type": "ConvNextImageProcessor"}


@pytest.mark.parametrize(
    ("model_type", "processor", "size", "crop_pct", "squash"),
    [
        ("resnet", {"feature_extractor_type": "ConvNextFeatureExtractor", "size": 224}, 224, 0.875, False),
        ("resnet", {"size": {"shortest_edge": 224}}, 224, 0.875, False),
        ("convnext", {**CONVNEXT, "size": {"shortest_edge": 224}, "crop_pct": 0.95}, 224, 0.95, False),
        ("convnext", {**CONVNEXT, "size": {"shortest_edge": 384}, "crop_pct": None}, 384, 1.0, True),
        ("vit", {"size": 224}, 224, 1.0, True),
        ("vit", {"size": SIDE, "image_processor_type": "ViTImageProcessor"}, 256, 1.0, True),
        ("deit", {"size": SIDE, "crop_size": {"height": 224, "width": 224}}, 224, 0.875, True),
        ("clip", {"size": {"shortest_edge": 256}, "crop_size": 224, "do_center_crop": True}, 224, 0.875, False),
        ("vit", {"size": SIDE, "crop_size": 224, "do_center_crop": False}, 256, 1.0, True),
    ],
)
def test_sizes_of_processors(model_type, processor, size, crop_pct, squash):
    config = {"architectures": ["AnyForImageClassification"], "model_type": model_type}
    described = describe(config, {**processor, "resample": 3}, "x")
    wanted = {"size": size, "crop_pct": crop_pct, "interpolation": "bicubic"}
    assert described.preprocessing == (wanted | {"crop_mode": "squash"} if squash else wanted)
    assert described.shapes == ((3, size, size),)


def test_what_is_not_said_is_not_made_up():
    described = describe({"architectures": ["AnyForImageClassification"], "image_size": [32, 48]}, None, "x")
    assert described.preprocessing is None and described.normaliser is None and described.classes is None
    assert described.shapes == ((3, 32, 48),)
    assert describe({"learning_rate": 0.1}, None, "x") is None and describe(None, {"size": 224}, "x") is None


def test_pixels_may_go_in_as_they_are():
    config = {"architectures": ["AnyForImageClassification"]}
    described = describe(config, {"do_normalize": False, "image_mean": [0.5], "image_std": [0.5]}, "x")
    assert described.normaliser == ((0.0,) * 3, (1.0,) * 3)


@pytest.mark.parametrize(
    "config",
    [
        {"architecture": "resnet18", "pretrained_cfg": {"input_size": [224]}},
        {"architecture": "resnet18", "pretrained_cfg": {"mean": [0.5], "std": [0]}},
        {"architecture": "resnet18", "pretrained_cfg": 3},
        {"architectures": ["X"], "id2label": {"a": "b"}},
        {"architectures": ["X"], "image_size": "large"},
    ],
)
def test_values_of_another_form_are_refused_in_one_line(config):
    with pytest.raises(AdvtoolError, match="cannot make sense of the config.json") as caught:
        describe(config, None, "x")
    assert "\n" not in str(caught.value)
