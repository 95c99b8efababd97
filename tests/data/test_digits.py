"""The embedded digits, against the script that makes them and against scikit-learn's own."""

import importlib.util

import numpy as np
import pytest
from tests_support import REPOSITORY

from advtool.data.arrays import load
from advtool.data.sources import resolve

SHARDS = REPOSITORY / "shards"


@pytest.fixture(scope="module")
def digits():
    return {split: load(resolve("digits", split)) for split in ("train", "test")}


def test_the_script_makes_the_committed_bytes(tmp_path):
    pytest.importorskip("sklearn")
    spec = importlib.util.spec_from_file_location("make_digits", SHARDS / "make_digits.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    script.main(tmp_path)
    made = sorted(path.name for path in tmp_path.iterdir())
    assert made == ["digits-test-000000.tar", "digits-train-000000.tar"]
    assert made == sorted(path.name for path in SHARDS.glob("*.tar"))
    for name in made:
        assert (tmp_path / name).read_bytes() == (SHARDS / name).read_bytes(), name


def test_every_digit_is_in_one_split(digits):
    assert [len(digits[split]) for split in ("train", "test")] == [1437, 360]
    keys = digits["train"].keys + digits["test"].keys
    assert sorted(keys) == [f"{i:04d}" for i in range(1797)]


def test_the_split_is_stratified(digits):
    train, test = (np.bincount(digits[split].labels, minlength=10) for split in ("train", "test"))
    assert np.abs(test - (train + test) * 360 / 1797).max() < 1


def test_pixels_and_labels_are_scikit_learns(digits):
    bunch = pytest.importorskip("sklearn.datasets").load_digits()
    for images in digits.values():
        index = np.array(images.keys, int)
        np.testing.assert_array_equal(images.labels, bunch.target[index])
        np.testing.assert_array_equal(images.pixels[:, 0], np.rint(bunch.images[index] * 255 / 16))


def test_both_splits_span_the_range_and_say_where_they_come_from(digits):
    for split, images in digits.items():
        assert (images.pixels.min(), images.pixels.max()) == (0, 255)
        assert (images.head.split, images.head.shape) == (split, (1, 8, 8))
        assert "CC BY 4.0" in images.head.source
