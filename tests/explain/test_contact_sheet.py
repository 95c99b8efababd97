"""Samples of several datasets, matched by the image they were made from."""

import json

import numpy as np
import pytest
from shard_factory import floats, pixels, sample, shard

from advtool.data.sources import resolve
from advtool.errors import AdvtoolError
from advtool.explain.contact_sheet import contact_sheet
from advtool.io.head import Head


@pytest.fixture
def source(tmp_path):
    def write(name: str, made: list, head: Head | None = None):
        path = tmp_path / f"{name}.tar"
        path.write_bytes(shard(made, head))
        return resolve(str(path))

    return write


def made_from(key: str, origin: str, label: int, image: np.ndarray):
    return sample(key, label, image, json=json.dumps({"source": origin, "start": "elsewhere"}).encode())


def test_matching_by_source_then_by_key_whatever_the_order(source):
    clean = source("clean", [sample(f"k{i}", i, pixels(i)) for i in range(6)])
    robust = source("robust", [made_from(f"r{i}", f"k{i}", i, floats(i, 1)) for i in (5, 0, 2, 1)])
    random = source("random", [sample(f"k{i}", (i + 1) % 6, floats(10 + i, 1)) for i in range(6)])
    sheet = contact_sheet([clean, robust, random], 4)
    assert sheet.keys == ["k0", "k1", "k2"] and sheet.missing == 1
    for column, index in enumerate([0, 1, 2]):
        for row, expected in zip(
            sheet.rows, (pixels(index) / 255, floats(index, 1), floats(10 + index, 1)), strict=True
        ):
            np.testing.assert_allclose(row[column][0], expected, atol=1e-6)
        assert [row[column][1] for row in sheet.rows] == [str(index), str(index), str((index + 1) % 6)]
    from_derived = contact_sheet([robust, clean], 2)
    assert from_derived.keys == ["k5", "k0"]
    np.testing.assert_allclose(from_derived.rows[1][0][0], pixels(5) / 255)


def test_the_first_of_several_samples_of_an_image_counts(source):
    clean = source("clean", [sample("a", 0)])
    twice = source("twice", [made_from("x", "a", 1, floats(1, 1)), made_from("y", "a", 2, floats(2, 1))])
    assert contact_sheet([clean, twice], 1).rows[1][0][1] == "1"
    assert contact_sheet([twice, clean], 2).keys == ["a"]


def test_a_random_sheet_is_drawn_by_the_seed(source):
    clean = source("clean", [sample(f"k{i}", 0, pixels(i)) for i in range(40)])
    first, again, other = (contact_sheet([clean, clean], 5, seed).keys for seed in (1, 1, 2))
    assert first == again != other and len(set(first)) == 5


def test_nothing_in_common(source):
    left, right = source("left", [sample("a")]), source("right", [sample("b")])
    with pytest.raises(AdvtoolError, match=r"right\.tar: no image in common .* 'a'"):
        contact_sheet([left, right], 3)
    both = source("both", [sample("a"), sample("b")])
    with pytest.raises(AdvtoolError, match="no image in common"):
        contact_sheet([both, left, right], 2)


def test_keys_of_different_splits_name_different_images(source):
    train, test = (source(split, [sample("a")], Head(split=split)) for split in ("train", "test"))
    with pytest.raises(AdvtoolError, match=r"test\.tar is of the test split"):
        contact_sheet([train, test], 1)
