import numpy as np
import pytest

from advtool.data.arrays import load
from advtool.data.sources import resolve
from advtool.errors import AdvtoolError, UsageError


def write(directory, n: int = 20, labels=None, pixels=None):
    directory.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 256, (n, 32, 32, 3), dtype=np.uint8) if pixels is None else pixels
    np.save(directory / "cifar10.1_v6_data.npy", pixels)
    np.save(directory / "cifar10.1_v6_labels.npy", np.arange(n, dtype=np.int32) % 10 if labels is None else labels)
    return pixels


@pytest.mark.parametrize("place", ["", "CIFAR-10.1/datasets"])
def test_the_published_files_are_read_from_the_root_or_a_checkout(tmp_path, place):
    pixels = write(tmp_path / place)
    source = resolve("cifar10.1", data_root=tmp_path)
    assert (source.split, source.splits) == ("test", ("test",))
    images = load(source)
    np.testing.assert_array_equal(images.pixels, pixels.transpose(0, 3, 1, 2))
    assert images.labels.tolist() == [i % 10 for i in range(20)]
    assert (images.head.classes[0], images.head.classes[9]) == ("airplane", "truck")
    assert (images.name, images.split) == ("cifar10.1", "test")


def test_there_is_no_training_split_and_no_download(tmp_path):
    with pytest.raises(UsageError, match="has no split 'train'"):
        resolve("cifar10.1", "train", data_root=tmp_path)
    with pytest.raises(UsageError, match="github"):
        resolve("cifar10.1", data_root=tmp_path, download=True)


def test_missing_files_are_named_with_where_to_get_them(tmp_path):
    with pytest.raises(AdvtoolError, match=r"expected .*cifar10\.1_v6_data\.npy.*github"):
        resolve("cifar10.1", data_root=tmp_path).open()


@pytest.mark.parametrize(
    "change",
    [
        {"labels": np.arange(19)},
        {"labels": np.full(20, 10)},
        {"labels": np.full(20, 0.5)},
        {"pixels": np.zeros((20, 32, 32, 3))},
        {"pixels": np.zeros((20, 3, 32, 32), np.uint8)},
        {"pixels": np.array([{}] * 20)},
    ],
)
def test_other_arrays_are_refused(tmp_path, change):
    write(tmp_path, **change)
    with pytest.raises(AdvtoolError, match=r"cifar10\.1"):
        resolve("cifar10.1", data_root=tmp_path).open()
