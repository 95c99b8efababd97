"""Explaining models by a call from Python."""

import numpy as np
import pytest
import torch
from torch import nn

from advtool.data.arrays import load
from advtool.data.sources import resolve
from advtool.errors import AdvtoolError, UsageError
from advtool.explain import ExplainWarning, Explanation, explain, gradient, samples

SHAPE = (1, 8, 8)


@pytest.fixture
def images():
    return load(resolve("digits", "test"), 6)


def affine(classes: int = 10) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, classes))


def test_any_module_is_explained_and_rows_are_called_as_asked(images):
    first, second = affine(), affine().requires_grad_(False)
    result = explain({"first": first, "second": second}, images, ["gradient", "smoothgrad"], steps=4)
    assert [(m["model"], m["method"]) for m in result.report["models"]] == [
        (name, method) for name in ("first", "second") for method in ("gradient", "smoothgrad")
    ]
    x = torch.from_numpy(images.pixels).float() / 255
    expected = gradient(first, x, torch.from_numpy(images.labels), "logit")
    np.testing.assert_allclose(result.attributions[0].values, expected, rtol=1e-6, atol=1e-9)
    assert result.picture().startswith(b"\x89PNG") and result.picture("pdf").startswith(b"%PDF")
    assert "versus_first" in result.report["models"][1]
    assert not any(parameter.requires_grad for parameter in second.parameters())


def test_a_model_with_more_classes_than_the_images(images):
    result = explain(affine(20), images, "large-eps", target="none", eps=5)
    assert len(result.report["models"][0]["images"]) == 6
    captions = [cell.caption for _, row in result.grid().rows[1:] for cell in row]
    assert all(line.startswith("pred. ") for (line,) in captions)


def test_only_what_has_frames_is_animated(images):
    assert explain(affine(), images, "interpolate", points=3, columns=1).picture("gif").startswith(b"GIF")
    with pytest.raises(UsageError, match="there is no gif"):
        explain(affine(), images).picture("gif")


@pytest.mark.parametrize(
    ("options", "parameter"),
    [
        ({"method": "weights"}, "method"),
        ({"method": "gradient", "of": "probability"}, "of"),
        ({"method": "large-eps", "norm": "l3"}, "adv"),
        ({"method": "large-eps", "norm": "l0"}, "adv"),
        ({"method": "large-eps", "norm": "l1"}, "eps"),
        ({"method": []}, "method"),
    ],
)
def test_what_is_wrong_is_named(images, options, parameter):
    with pytest.raises(UsageError) as caught:
        explain(affine(), images, **options)
    assert caught.value.parameter == parameter and "--" not in caught.value.message.partition("(")[0]


def test_a_failing_model_is_named(images):
    broken = affine()
    nn.init.constant_(broken[1].weight, torch.nan)
    with pytest.raises(AdvtoolError, match="^second: the model returns logits that are not finite"):
        explain({"first": affine(), "second": broken}, images)


def test_attributions_that_say_nothing_are_a_warning(images):
    flat = affine()
    nn.init.zeros_(flat[1].weight)
    with pytest.warns(ExplainWarning, match="model: the attribution is 0 everywhere on 6 of 6 images"):
        explain(flat, images)


def test_every_default_is_resolved():
    methods = ["gradient", "integrated-gradients", "smoothgrad"]
    assert Explanation.resolve(methods, SHAPE).to_json() == [
        {"method": "gradient", "of": "logit"},
        {"method": "integrated-gradients", "of": "logit", "baseline": 0.0, "steps": None},
        {"method": "smoothgrad", "of": "logit", "variance": 0.25, "copies": 50},
    ]
    (settings,) = Explanation.resolve(["interpolate"], (1, 28, 28), norm="linf").to_json()
    assert settings == {
        "method": "interpolate",
        "adv": "linf",
        "eps": 0.3,
        "steps": 120,
        "target": "none",
        "step_size": 1.44 * 0.3 / 120,
        "points": 20,
    }
    assert Explanation.resolve(["gradient"], SHAPE).to_json() == [{"method": "gradient", "of": "loss"}]
    (settings,) = Explanation.resolve(["large-eps"], (3, 224, 224)).to_json()
    assert (settings["eps"], settings["steps"], settings["step_size"]) == (40, 40, 1.5)  # as in the authors' code
    (settings,) = Explanation.resolve(["large-eps"], (3, 224, 224), norm="linf").to_json()
    assert (settings["eps"], settings["steps"], settings["step_size"]) == (0.25, 120, 0.003)
    assert Explanation.resolve(["weights"], SHAPE).to_json() == [{"method": "weights"}]


def test_datasets_side_by_side():
    digits, others = resolve("digits", "test"), resolve("digits", "test")
    result = samples([digits, others], 5, columns=3, names=["a", "b"])
    assert [(name, len(row)) for name, row in result.grid().rows] == [("a", 3), ("b", 3)]
    assert result.report["missing"] == 0 and len(result.report["keys"]) == 5
    assert len(samples([digits], None).report["keys"]) == 360
    with pytest.raises(UsageError, match="names: 1 for 2 sources"):
        samples([digits, others], 5, names=["a"])
