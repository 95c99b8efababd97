import numpy as np
import pytest
import torch

import advtool
from advtool.attacks import pgd
from advtool.ball import L2
from advtool.data.arrays import Images, load
from advtool.data.correlation import label_correlation, most_correlated
from advtool.data.sources import resolve
from advtool.errors import UsageError
from advtool.io.head import Head
from advtool.training.options import Training
from advtool.training.run import TrainingRun

CPU = torch.device("cpu")


def noise(classes: int, n: int = 5000, dtype=np.uint8) -> Images:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, classes, n)
    pixels = rng.integers(0, 200, (n, 2, 3, 4)).astype(float)
    pixels += 5 * rng.random((2, 3, 4)) * labels[:, None, None, None]
    pixels[:, 0, 0, 0] = 7
    scaled = pixels.astype(np.uint8) if dtype == np.uint8 else (pixels / 255).astype(np.float32)
    return Images(scaled, labels, [str(i) for i in range(n)], Head(num_classes=classes), "noise", None)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_for_two_classes_it_is_pearsons_correlation(dtype):
    images = noise(2, dtype=dtype)
    found = label_correlation(images)
    flat, signs = images.pixels.reshape(len(images), -1), 2 * images.labels - 1
    assert found.shape == (2, 3, 4) and found[0, 0, 0] == 0
    for index in range(1, flat.shape[1]):
        assert found.ravel()[index] == pytest.approx(abs(np.corrcoef(flat[:, index], signs)[0, 1]), rel=1e-6)


def test_for_several_classes_it_is_the_square_root_of_the_f_test_of_scikit_learn():
    selection = pytest.importorskip("sklearn.feature_selection")
    images = noise(4)
    flat = images.pixels.reshape(len(images), -1)[:, 1:]
    f, _ = selection.f_classif(flat.astype(float), images.labels)
    explained = f * 3 / (f * 3 + len(images) - 4)
    np.testing.assert_allclose(label_correlation(images).ravel()[1:], np.sqrt(explained), rtol=1e-6)


def test_the_most_correlated_pixels():
    images = load(resolve("digits"))
    correlation = label_correlation(images).ravel()
    chosen = most_correlated(images, 10)
    assert len(set(chosen)) == 10 and list(chosen) == sorted(chosen)
    assert correlation[list(chosen)].min() >= np.delete(correlation, chosen).max()
    assert most_correlated(images, 64) == tuple(range(64))
    with pytest.raises(UsageError, match="64"):
        most_correlated(images, 65)


def test_a_model_of_few_pixels_sees_no_others_before_and_after_a_file(tmp_path):
    run = TrainingRun(resolve("digits"), Training(arch="linear", top_pixels=9, epochs=1, limit=400), CPU)
    run.fit()
    path = tmp_path / "m.safetensors"
    path.write_bytes(run.to_bytes({}))
    loaded = advtool.load(path)
    assert loaded.spec.pixels == most_correlated(run.data.images, 9)
    seen = torch.zeros(64, dtype=torch.bool)
    seen[list(loaded.spec.pixels)] = True
    x = torch.rand(5, 1, 8, 8, requires_grad=True)
    logits = loaded(x)
    gradient = torch.autograd.grad(logits.square().sum(), x)[0].flatten(1)
    assert (gradient[:, ~seen] == 0).all() and (gradient[:, seen] != 0).any()
    other = torch.where(seen.view(1, 1, 8, 8), x, torch.rand_like(x))
    assert torch.equal(loaded(other), logits)
    moved = pgd(loaded, x.detach(), logits.argmax(1), L2(0.3)) - x.detach()
    assert (moved.flatten(1)[:, ~seen] == 0).all() and moved.abs().max() > 0


def test_a_model_that_goes_on_keeps_its_pixels(tmp_path):
    from advtool.io import checkpoints, streams

    first = TrainingRun(resolve("digits"), Training(arch="linear", top_pixels=9, epochs=0, limit=100), CPU)
    path = tmp_path / "m.safetensors"
    path.write_bytes(first.to_bytes({}))
    file = checkpoints.read(streams.open_path(path))
    second = TrainingRun(resolve("digits"), Training(epochs=1, limit=100), CPU, file)
    assert second.model.spec.pixels == first.model.spec.pixels
    with pytest.raises(UsageError, match="top_pixels"):
        _ = TrainingRun(resolve("digits"), Training(top_pixels=3), CPU, file).model
