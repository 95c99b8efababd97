import gzip
import hashlib
import pickle
import socket
import struct

import numpy as np
import pytest
from scipy.io import savemat

from advtool.data import named
from advtool.data.arrays import load
from advtool.errors import AdvtoolError

FAMILY = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST", "kmnist": "KMNIST"}
SIZES = {"train": 6, "test": 4}


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a test went to the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def idx(array: np.ndarray) -> bytes:
    """The format of yann.lecun.com: magic with type 8 (unsigned byte) and rank, sizes, bytes."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def content(split: str) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(len(split))
    n = SIZES[split]
    return rng.integers(0, 256, (n, 28, 28), dtype=np.uint8), rng.integers(0, 10, n, dtype=np.uint8)


def write_idx(root, name: str):
    raw = root / FAMILY[name] / "raw"
    raw.mkdir(parents=True)
    for split, prefix in (("train", "train"), ("test", "t10k")):
        pixels, labels = content(split)
        (raw / f"{prefix}-images-idx3-ubyte").write_bytes(idx(pixels))
        (raw / f"{prefix}-labels-idx1-ubyte").write_bytes(idx(labels))
    return raw


def resolve(name, split, root):
    return named.resolve(name, split, root, download=False)


@pytest.mark.parametrize("name", FAMILY)
@pytest.mark.parametrize("split", ["train", "test"])
def test_raw_idx_files_are_read(tmp_path, name, split):
    write_idx(tmp_path, name)
    pixels, labels = content(split)
    images = load(resolve(name, split, tmp_path))
    np.testing.assert_array_equal(images.pixels, pixels[:, None])
    np.testing.assert_array_equal(images.labels, labels)
    assert images.pixels.dtype == np.uint8
    assert images.keys == [f"{i:05d}" for i in range(SIZES[split])]
    assert (images.name, images.split, images.head.source) == (name, split, name)
    assert (images.head.num_classes, images.head.shape) == (10, (1, 28, 28))
    assert len(set(images.head.classes)) == 10


def test_class_names(tmp_path):
    for name in FAMILY:
        write_idx(tmp_path, name)
    classes = {name: resolve(name, "test", tmp_path).open().head.classes for name in FAMILY}
    assert classes["mnist"] == tuple("0123456789")
    assert (classes["fashion-mnist"][0], classes["fashion-mnist"][9]) == ("T-shirt/top", "Ankle boot")
    assert (classes["kmnist"][0], classes["kmnist"][9]) == ("o", "wo")


def test_samples_and_arrays_are_the_same(tmp_path):
    write_idx(tmp_path, "mnist")
    reader = resolve("mnist", "train", tmp_path).open()
    pixels, labels, keys = reader.arrays()
    samples = list(reader)
    assert [sample.key for sample in samples] == keys
    assert [sample.label for sample in samples] == labels.tolist()
    np.testing.assert_array_equal([sample.pixels() for sample in samples], pixels)


def test_limit(tmp_path):
    write_idx(tmp_path, "mnist")
    assert len(load(resolve("mnist", "train", tmp_path), limit=2)) == 2


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mnist", "MNIST/raw"),
        ("fashion-mnist", "FashionMNIST/raw"),
        ("kmnist", "KMNIST/raw"),
        ("cifar10", "cifar-10-batches-py"),
        ("cifar100", "cifar-100-python"),
        ("svhn", "test_32x32.mat"),
    ],
)
def test_a_missing_dataset_names_the_path_and_downloads_nothing(tmp_path, name, expected):
    with pytest.raises(AdvtoolError) as caught:
        resolve(name, "test", tmp_path).open()
    assert f"{name} is not on disk: expected {tmp_path / expected} " in str(caught.value)
    assert "ADVTOOL_DATA" in str(caught.value)
    assert not list(tmp_path.rglob("*"))


@pytest.mark.parametrize(
    ("file", "data"),
    [
        ("t10k-images-idx3-ubyte", b""),
        ("t10k-images-idx3-ubyte", idx(content("test")[0])[:-100]),
        ("t10k-images-idx3-ubyte", idx(content("test")[0]) + b"more"),
        ("t10k-images-idx3-ubyte", b"no idx file at all"),
        ("t10k-labels-idx1-ubyte", idx(content("test")[1])[:6]),
        ("t10k-labels-idx1-ubyte", idx(content("test")[0])),
        ("t10k-labels-idx1-ubyte", idx(content("test")[1][:-1])),
        ("t10k-labels-idx1-ubyte", idx(content("test")[1] + np.uint8(10))),
    ],
    ids=["empty", "cut", "longer", "text", "cut header", "images as labels", "a label too few", "labels beyond 9"],
)
def test_a_corrupt_file_is_a_clear_error(tmp_path, file, data):
    raw = write_idx(tmp_path, "mnist")
    (raw / file).write_bytes(data)
    with pytest.raises(AdvtoolError, match=r"^mnist: "):
        load(resolve("mnist", "test", tmp_path))


@pytest.mark.parametrize("name", FAMILY)
def test_idx_files_are_read_gzipped_as_well(tmp_path, name):
    raw = write_idx(tmp_path, name)
    expected = [load(resolve(name, split, tmp_path)) for split in SIZES]
    for path in list(raw.iterdir()):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    for images, split in zip(expected, SIZES, strict=True):
        np.testing.assert_array_equal(load(resolve(name, split, tmp_path)).pixels, images.pixels)
    (raw / "t10k-labels-idx1-ubyte.gz").unlink()
    assert len(load(resolve(name, "train", tmp_path))) == SIZES["train"]
    with pytest.raises(AdvtoolError, match=r"t10k-labels-idx1-ubyte.gz in it .*--download"):
        load(resolve(name, "test", tmp_path))


@pytest.mark.parametrize(
    "data", [b"", gzip.compress(b"", mtime=0), gzip.compress(idx(content("test")[0]))[:-9], b"\x1f\x8bno"]
)
def test_a_damaged_gzip_is_a_clear_error(tmp_path, data):
    raw = write_idx(tmp_path, "mnist")
    (raw / "t10k-images-idx3-ubyte").unlink()
    (raw / "t10k-images-idx3-ubyte.gz").write_bytes(data)
    with pytest.raises(AdvtoolError, match=r"^mnist: cannot read .*t10k-images-idx3-ubyte.gz: .*--download"):
        load(resolve("mnist", "test", tmp_path))


def test_an_archive_that_is_not_unpacked_is_named(tmp_path):
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(b"")
    with pytest.raises(AdvtoolError, match=r"cifar-10-python.tar.gz is still packed; `advtool .*--download"):
        resolve("cifar10", "test", tmp_path).open()


def write_cifar10(root, monkeypatch):
    """CIFAR-10 in its own format, with two images a batch, and the checksums that torchvision checks."""
    import torchvision.datasets

    folder = root / "cifar-10-batches-py"
    folder.mkdir()
    rows = np.random.default_rng(0).integers(0, 256, (4, 3072), dtype=np.uint8)

    def write(name: str, fields: dict) -> str:
        data = pickle.dumps(fields, protocol=2)
        (folder / name).write_bytes(data)
        return hashlib.md5(data).hexdigest()

    batch = {"data": rows[:2], "labels": [3, 1]}
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "train_list", [["data_batch_1", write("data_batch_1", batch)]])
    batch = {"data": rows[2:], "labels": [9, 0]}
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "test_list", [["test_batch", write("test_batch", batch)]])
    meta = {"filename": "batches.meta", "key": "label_names"}
    meta["md5"] = write("batches.meta", {"label_names": [f"class {i}" for i in range(10)]})
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "meta", meta)
    return rows


def test_cifar10_batches_are_read_channels_first(tmp_path, monkeypatch):
    rows = write_cifar10(tmp_path, monkeypatch)
    train, test = (load(resolve("cifar10", split, tmp_path)) for split in ("train", "test"))
    np.testing.assert_array_equal(train.pixels, rows[:2].reshape(2, 3, 32, 32))
    np.testing.assert_array_equal(test.pixels, rows[2:].reshape(2, 3, 32, 32))
    assert test.labels.tolist() == [9, 0]
    assert test.head.classes[9] == "class 9"
    samples = list(resolve("cifar10", "test", tmp_path).open())
    np.testing.assert_array_equal([sample.pixels() for sample in samples], test.pixels)


def test_a_damaged_cifar10_is_told_from_a_missing_one(tmp_path, monkeypatch):
    write_cifar10(tmp_path, monkeypatch)
    (tmp_path / "cifar-10-batches-py" / "test_batch").write_bytes(b"damaged")
    with pytest.raises(AdvtoolError, match=r"cifar10: cannot read .*cifar-10-batches-py: .*--download"):
        resolve("cifar10", "test", tmp_path).open()


def test_svhn_is_read_from_its_mat_files_with_ten_for_zero(tmp_path, monkeypatch):
    import torchvision.datasets

    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    path = tmp_path / "test_32x32.mat"
    savemat(path, {"X": images.transpose(1, 2, 3, 0), "y": np.array([[10], [1], [9]], np.uint8)})
    listed = ["", path.name, hashlib.md5(path.read_bytes()).hexdigest()]
    monkeypatch.setattr(torchvision.datasets.SVHN, "split_list", {"test": listed})
    test = load(resolve("svhn", "test", tmp_path))
    np.testing.assert_array_equal(test.pixels, images.transpose(0, 3, 1, 2))
    assert test.labels.tolist() == [0, 1, 9]
    assert test.head.classes == tuple("0123456789")
    path.write_bytes(b"damaged")
    with pytest.raises(AdvtoolError, match="svhn: cannot read .*test_32x32.mat"):
        resolve("svhn", "test", tmp_path).open()


def test_root_is_the_argument_or_the_variable_or_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ADVTOOL_DATA", str(tmp_path / "variable"))
    assert named.root(tmp_path / "argument") == tmp_path / "argument"
    assert named.root(None) == tmp_path / "variable"
    monkeypatch.delenv("ADVTOOL_DATA")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert named.root(None) == tmp_path / ".cache" / "advtool"


def test_describe_lists_every_name():
    entries = {entry["name"]: entry for entry in named.describe()}
    assert tuple(entries) == named.NAMES
    assert entries["svhn"] == {"name": "svhn", "shape": [3, 32, 32], "train": 73_257, "test": 26_032}


@pytest.mark.parametrize(
    ("images", "labels", "fault"),
    [
        (np.zeros((3, 14, 56), np.uint8), np.zeros(3, np.uint8), "14×56, not 28×28"),
        (np.zeros((3, 32, 32), np.uint8), np.zeros(3, np.uint8), "32×32, not 28×28"),
        (np.zeros((3, 28, 28, 1), np.uint8), np.zeros(3, np.uint8), "no IDX file of images"),
        (np.zeros((0, 28, 28), np.uint8), np.zeros(0, np.uint8), "holds no images"),
        (np.zeros((3, 28, 28), np.uint8), np.zeros(4, np.uint8), "3 images, and 4 labels"),
        (np.zeros((3, 28, 28), np.uint8), np.zeros((3, 1), np.uint8), "no IDX file of labels"),
        (np.zeros((3, 28, 28), np.uint8), np.array([0, 10, 0], np.uint8), "do not fit"),
    ],
)
def test_idx_files_of_another_shape_are_refused(tmp_path, images, labels, fault):
    raw = write_idx(tmp_path, "mnist")
    (raw / "t10k-images-idx3-ubyte").write_bytes(idx(images))
    (raw / "t10k-labels-idx1-ubyte").write_bytes(idx(labels))
    with pytest.raises(AdvtoolError, match=fault):
        load(resolve("mnist", "test", tmp_path))
