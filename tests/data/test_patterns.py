"""``patterns``: what is drawn is what was meant, and what is left of it is measured."""

import hashlib
import json

import numpy as np
import pytest

from advtool.data import patterns
from advtool.data.arrays import load
from advtool.data.sources import resolve
from advtool.errors import UsageError

DIGEST = "89ec6272658d980a"


def drawn(split):
    images = load(resolve("patterns", split))
    return images.pixels.reshape(len(images), -1) / 255 - patterns.GREY, images.labels


def test_patterns_are_orthonormal_and_one_kind_lives_in_blocks():
    coarse, fine = patterns.templates()
    both = np.concatenate([coarse, fine])
    np.testing.assert_allclose(both @ both.T, np.eye(20), atol=1e-12)
    blocks = coarse.reshape(10, 4, 4, 4, 4)
    assert np.ptp(blocks, axis=(2, 4)).max() < 1e-12
    np.testing.assert_allclose(fine.reshape(10, 4, 4, 4, 4).mean(axis=(2, 4)), 0, atol=1e-12)


@pytest.mark.parametrize(("split", "n"), [("train", 5000), ("test", 1000)])
def test_the_coarse_pattern_is_right_for_nine_in_ten_and_the_fine_one_always(split, n):
    x, labels = drawn(split)
    coarse, fine = patterns.templates()
    assert np.bincount(labels).tolist() == [n // 10] * 10
    assert ((x @ coarse.T).argmax(1) == labels).mean() == 0.9
    rest = x @ fine.T
    own = rest[np.arange(n), labels]
    assert own.mean() == pytest.approx(patterns.FINE, abs=0.005)
    rest[np.arange(n), labels] = 0
    assert rest.std() == pytest.approx(patterns.NOISE * 0.9**0.5, rel=0.03)  # a tenth of the entries is zeroed


def test_the_same_bytes_everywhere():
    pixels = load(resolve("patterns", "test")).pixels
    assert pixels.dtype == np.uint8 and pixels.shape == (1000, 1, 16, 16)
    assert hashlib.sha256(pixels.tobytes()).hexdigest().startswith(DIGEST)


def test_what_is_left_is_found_in_images_made_by_hand():
    coarse, fine = patterns.templates()
    kept = patterns.Kept()
    for label, other in ((3, 5), (8, 2)):
        flat = patterns.GREY + 0.5 * patterns.COARSE * coarse[other] + 2 * patterns.FINE * fine[label]
        kept.add(flat.reshape(1, 16, 16).astype(np.float32), label)
    kept.add(np.full((1, 16, 16), 128, np.uint8), 0)
    found = kept.to_json()
    assert found["coarse"]["amount"] == pytest.approx(0, abs=3e-3) and found["coarse"]["agrees"] <= 1 / 3
    assert found["fine"]["amount"] == pytest.approx(4 / 3, abs=3e-3) and found["fine"]["agrees"] >= 2 / 3


def test_info_measures_what_a_construction_kept(advtool):
    assert advtool("relabel", "--data", "patterns", "--shift", 1, "-n", 500, "-o", "shifted.tar").returncode == 0
    (part,) = json.loads(advtool("data", "shifted.tar", "--info").stdout)["parts"]
    assert part["patterns"]["fine"]["agrees"] == 0 and part["patterns"]["coarse"]["amount"] < 0.1
    assert "patterns" not in json.loads(advtool("data", "digits", "--info").stdout)["parts"][0]


def test_its_networks_are_small_and_forget(advtool):
    shown = json.loads(advtool("train", "--data", "patterns", "--dry-run").stdout)
    assert shown["model"]["arch"] == "mlp" and shown["model"]["args"] == {"hidden": [256, 16]}
    assert (shown["training"]["epochs"], shown["training"]["weight_decay"]) == (20, 2.0)
    asked = ("--hidden", "64", "--arch", "mlp", "--epochs", 3, "--weight-decay", 0)
    shown = json.loads(advtool("train", "--data", "patterns", *asked, "--dry-run").stdout)
    assert shown["model"]["args"] == {"hidden": [64]}
    assert (shown["training"]["epochs"], shown["training"]["weight_decay"]) == (3, 0)
    shown = json.loads(advtool("train", "--data", "patterns", "--arch", "linear", "--dry-run").stdout)
    assert shown["model"]["arch"] == "linear" and shown["model"]["args"] == {}


def test_there_is_no_other_split():
    with pytest.raises(UsageError, match="no split 'val'"):
        resolve("patterns", "val")
