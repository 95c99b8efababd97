"""Weights of linear models and correlations of pixels with labels."""

import numpy as np
import pytest
import torch

from advtool.data.arrays import Images
from advtool.errors import UsageError
from advtool.explain.weights import agreement, correlations, linear_weights
from advtool.io.head import Head
from advtool.models.classifier import ModelSpec
from advtool.models.registry import build


def model(classes: int, arch: str = "linear", **args):
    spec = ModelSpec(arch, tuple("abcd"[:classes]), (1, 3, 3), (0.4,), (0.5,), args)
    return build(spec)


def images(n: int, classes: int) -> Images:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (n, 1, 3, 3), np.uint8)
    pixels[:, 0, 0, 0] = 17
    labels = rng.integers(0, classes, n)
    return Images(pixels, labels, [str(i) for i in range(n)], Head(), "made", None)


@pytest.mark.parametrize("classes", [2, 4])
def test_weights_are_the_gradients_of_the_logits(classes):
    linear = model(classes)
    x = torch.rand(1, 1, 3, 3)
    jacobian = torch.autograd.functional.jacobian(linear, x)[0, :, 0].double().numpy()
    expected = jacobian[1:] - jacobian[:1] if classes == 2 else jacobian - jacobian.mean(0)
    np.testing.assert_allclose(linear_weights(linear), expected, rtol=1e-5, atol=1e-7)


def test_only_linear_models_have_them():
    assert linear_weights(model(3, "mlp", hidden=[])).shape == (3, 1, 3, 3)
    for other in (model(3, "mlp", hidden=[5]), model(3, "cnn-small")):
        with pytest.raises(UsageError, match="not linear"):
            linear_weights(other)


@pytest.mark.parametrize("classes", [2, 4])
def test_correlations_are_those_of_numpy(classes):
    data = images(9000, classes)
    found = correlations(data, classes)
    assert found.shape == (1 if classes == 2 else classes, 1, 3, 3) and (found[:, 0, 0, 0] == 0).all()
    for picture, label in zip(found, [1] if classes == 2 else range(classes), strict=True):
        for pixel in [(0, 1), (2, 2)]:
            expected = np.corrcoef(data.pixels[:, 0, *pixel], data.labels == label)[0, 1]
            assert picture[0, *pixel] == pytest.approx(expected, abs=1e-9)


def test_a_class_without_images_has_no_correlations():
    assert (correlations(images(50, 2), 3)[2] == 0).all()


def test_agreement():
    w = np.array([[[[1.0, -2.0], [3.0, 0.5]]]])
    assert agreement(w, -2 * w) == pytest.approx([1])
    assert np.isnan(agreement(w, 0 * w)).all()
