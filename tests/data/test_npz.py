import io
import shlex
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch

from advtool.data.arrays import load
from advtool.data.sources import resolve
from advtool.errors import AdvtoolError, UsageError

N = 12


def grey(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (N, 5, 4), dtype=np.uint8)


def colour(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (N, 5, 4, 3), dtype=np.uint8)


LABELS = np.arange(N) % 3


def archive(tmp_path, **arrays) -> str:
    path = tmp_path / "made.npz"
    np.savez_compressed(path, **arrays)
    return str(path)


@pytest.mark.parametrize("names", [("images", "labels"), ("x", "y"), ("X", "Y"), ("data", "targets")])
def test_an_archive_without_splits(tmp_path, names):
    path = archive(tmp_path, **{names[0]: grey(), names[1]: LABELS})
    source = resolve(path)
    assert (source.split, source.splits, source.repeatable) == (None, (), True)
    images = load(source)
    np.testing.assert_array_equal(images.pixels, grey()[:, None])
    np.testing.assert_array_equal(images.labels, LABELS)
    assert images.head.num_classes == 3 and images.head.classes == ("0", "1", "2")
    assert images.keys[:2] == ["00000", "00001"] and images.pixels.dtype == np.uint8


@pytest.mark.parametrize("form", ["{}_{}", "{1}_{0}"])
def test_splits_in_the_names_of_keras_and_of_medmnist(tmp_path, form):
    names = ("x", "y") if form == "{}_{}" else ("images", "labels")
    parts = {part: colour(seed) for seed, part in enumerate(("train", "test"))}
    path = archive(
        tmp_path,
        **{form.format(names[0], part): array for part, array in parts.items()},
        **{form.format(names[1], part): LABELS[:, None] for part in parts},
    )
    for part, array in parts.items():
        source = resolve(path, part)
        assert (source.split, source.splits) == (part, ("train", "test"))
        np.testing.assert_array_equal(load(source).pixels, array.transpose(0, 3, 1, 2))
    assert resolve(path, default_split="test").split == "test"
    with pytest.raises(UsageError, match="has no split 'val'"):
        resolve(path, "val")


def test_channels_first_floats_and_class_names(tmp_path):
    pixels = np.random.default_rng(0).random((N, 3, 6, 6))
    classes = np.array(["ant", "bee", "cat", "dog"])
    images = load(resolve(archive(tmp_path, images=pixels, labels=LABELS, classes=classes)))
    np.testing.assert_array_equal(images.pixels, pixels.astype(np.float32))
    assert images.head.classes == ("ant", "bee", "cat", "dog")


def test_class_names_in_bytes_and_in_numbers(tmp_path):
    for classes, names in (
        (np.array([b"ant", "b\u00e9e".encode(), b"\xff"]), ("ant", "b\u00e9e", "\ufffd")),
        (np.array([3, 5, 7]), ("3", "5", "7")),
    ):
        assert load(resolve(archive(tmp_path, x=grey(), y=LABELS, classes=classes))).head.classes == names


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_floats_out_by_rounding_are_clipped(tmp_path, kind):
    pixels = np.full((N, 4, 4), 0.5, kind)
    pixels[0, 0, :2] = [1.0000001, -1e-9]
    images = load(resolve(archive(tmp_path, x=pixels, y=LABELS)))
    assert images.pixels[0, 0, 0, :3].tolist() == [1, 0, 0.5] and images.pixels.dtype == np.float32


def test_an_array_alone_is_refused_with_the_way_to_an_archive(tmp_path):
    path = tmp_path / "it's.npy"
    np.save(path, grey())
    np.save(tmp_path / "LABELS.npy", LABELS)
    with pytest.raises(UsageError) as caught:
        resolve(str(path))
    _, _, command = str(caught.value).partition("python -c ")
    subprocess.run([sys.executable, "-c", *shlex.split(command)], cwd=tmp_path, check=True)
    np.testing.assert_array_equal(load(resolve(str(path.with_suffix(".npz")))).pixels[:, 0], grey())


@pytest.mark.parametrize("kind", ["uint8", "float32"])
def test_samples_and_arrays_are_the_same(tmp_path, kind):
    pixels = colour() if kind == "uint8" else (colour() / 255).astype(np.float32)
    reader = resolve(archive(tmp_path, x=pixels, y=LABELS)).open()
    arrays, labels, keys = reader.arrays()
    samples = list(reader)
    assert [s.key for s in samples] == keys and [s.label for s in samples] == labels.tolist()
    np.testing.assert_array_equal([s.pixels() for s in samples], arrays)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": np.zeros((N, 4, 4, 2)), "y": LABELS}, "N×H×W×C"),
        ({"x": np.zeros((N, 784)), "y": LABELS}, "12×784"),
        ({"x": np.zeros((0, 4, 4)), "y": LABELS[:0]}, "N×H×W"),
        ({"x": np.full((N, 4, 4), 2.0), "y": LABELS}, r"\[0, 1\]"),
        ({"x": np.full((N, 4, 4), np.nan), "y": LABELS}, r"\[0, 1\]"),
        ({"x": np.full((N, 4, 4), -1), "y": LABELS}, r"0\.\.255"),
        ({"x": np.full((N, 4, 4), "a"), "y": LABELS}, "integers or floats"),
        ({"x": grey(), "y": LABELS[:5]}, "12 labels"),
        ({"x": grey(), "y": LABELS - 1}, "from 0"),
        ({"x": grey(), "y": LABELS + 0.5}, "integers"),
        ({"x": grey(), "y": LABELS, "classes": np.array(["a"])}, "label 2"),
        ({"x": np.array([{}] * N), "y": LABELS}, "cannot read x: an array of Python objects"),
        ({"x": grey(), "y": LABELS, "classes": np.array(["a", "b", None])}, "classes: an array of Python objects"),
        ({"x": grey(), "y": LABELS, "classes": np.array([["a"], ["b"], ["c"]])}, "list of names, .*3×1"),
        ({"x": grey(), "y": LABELS, "classes": np.array("abc")}, "list of names, .*one value"),
        ({"x": grey(), "y": LABELS, "classes": np.array([0.5, 1, 2])}, "list of names, .*float64"),
        ({"x": np.full((N, 4, 4), 1.000002), "y": LABELS}, "found 1.000002 to 1.000002"),
    ],
)
def test_arrays_that_are_none_of_images_and_labels(tmp_path, arrays, words):
    with pytest.raises(AdvtoolError, match=words):
        resolve(archive(tmp_path, **arrays)).open()


def test_files_that_are_no_such_archive(tmp_path):
    with pytest.raises(UsageError, match="it has a, b"):
        resolve(archive(tmp_path, a=grey(), b=LABELS))
    path = tmp_path / "x.npz"
    whole = io.BytesIO()
    np.savez(whole, x=grey(), y=LABELS)
    path.write_bytes(whole.getvalue()[:100])
    with pytest.raises(AdvtoolError, match="damaged"):
        resolve(str(path))
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("x.npy", b"\x93NUMPY\x01\x00v\x00{'descr': '|u1', 'fortran_order': False, 'shape': (9,")
        file.writestr("y.npy", b"")
    with pytest.raises(AdvtoolError, match="cannot read"):
        resolve(str(path)).open()
    torch.save({"a": torch.ones(2)}, path)
    with pytest.raises(UsageError, match="without arrays"):
        resolve(str(path))
    with pytest.raises(UsageError, match="no such file"):
        resolve(str(tmp_path / "nowhere.npz"))
