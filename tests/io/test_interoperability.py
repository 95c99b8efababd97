"""Shards are read by the `webdataset` library and by Hugging Face `datasets` as they are."""

import io
import json

import numpy as np
import pytest
import shard_factory as make

from advtool.io.directory import ShardDirectory
from advtool.io.head import Head
from advtool.io.shards import shard_paths, write_file

HEAD = Head(classes=("a", "b", "c"), num_classes=3, shape=(3, 8, 8), split="train", history=("advtool data",))
N = 7

# webdataset leaves the files that it reads to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")


def image(kind: str, index: int) -> np.ndarray:
    return make.floats(index) if kind == "npy" else make.pixels(index, channels=1 if kind == "grey" else 3)


@pytest.fixture(params=["png", "grey", "npy"])
def made(request, tmp_path):
    """(kind, paths of two shards, what they hold)."""
    samples = [
        make.sample(f"deep/folder/k{i}", i % 3, image(request.param, i), json=json.dumps({"norm": i / 4}).encode())
        for i in range(N)
    ]
    ShardDirectory(tmp_path / "shards", "train", 4).write(HEAD, samples)
    return request.param, list(map(str, shard_paths(tmp_path / "shards", "train"))), samples


@pytest.fixture
def load_dataset(tmp_path, monkeypatch):
    for name in ("HUB_OFFLINE", "DATASETS_OFFLINE", "HUB_DISABLE_TELEMETRY", "DATASETS_DISABLE_PROGRESS_BARS"):
        monkeypatch.setenv(f"HF_{name}", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    datasets = pytest.importorskip("datasets")

    def load(paths):
        return datasets.load_dataset("webdataset", data_files=paths, split="train", cache_dir=str(tmp_path / "cache"))

    return load


def test_webdataset_reads_keys_labels_and_pixels(made):
    import webdataset

    _, paths, samples = made
    found = list(webdataset.WebDataset(paths, shardshuffle=False))
    assert [sample["__key__"] for sample in found] == [sample.key for sample in samples]
    for theirs, ours in zip(found, samples, strict=True):
        assert {name for name in theirs if not name.startswith("__")} == set(ours.members)
        assert all(theirs[name] == data for name, data in ours.members.items())


def test_webdataset_decodes_to_the_same_pixels_and_labels(made):
    import webdataset

    kind, paths, samples = made
    decoded = list(webdataset.WebDataset(paths, shardshuffle=False).decode("rgb8"))
    for theirs, ours in zip(decoded, samples, strict=True):
        assert theirs["cls"] == ours.label
        assert theirs["json"] == ours.provenance()
        pixels = theirs["npy"] if kind == "npy" else theirs["png"].transpose(2, 0, 1)
        np.testing.assert_array_equal(pixels, np.broadcast_to(ours.pixels(), pixels.shape))


def test_webdataset_reads_a_gzipped_shard(tmp_path):
    import webdataset

    write_file(tmp_path / "a.tar.gz", HEAD, make.samples(3))
    found = list(webdataset.WebDataset(str(tmp_path / "a.tar.gz"), shardshuffle=False))
    assert [sample["__key__"] for sample in found] == ["k0", "k1", "k2"]


def test_what_webdataset_writes_is_read(tmp_path):
    import webdataset

    with webdataset.TarWriter(str(tmp_path / "w.tar")) as writer:
        for i in range(3):
            writer.write({"__key__": f"k{i}", "png": make.pixels(i, 3).transpose(1, 2, 0), "cls": i, "json": {"i": i}})
    found = make.read((tmp_path / "w.tar").read_bytes())
    assert [(s.key, s.label, s.provenance()) for s in found] == [(f"k{i}", i, {"i": i}) for i in range(3)]
    np.testing.assert_array_equal(found[2].pixels(), make.pixels(2, 3))


def test_hugging_face_reads_keys_labels_and_pixels(made, load_dataset):
    kind, paths, samples = made
    found = load_dataset(paths)
    assert len(found) == N
    assert set(found.column_names) == {"__key__", "__url__", "cls", "json", "npy" if kind == "npy" else "png"}
    for theirs, ours in zip(found, samples, strict=True):
        assert (theirs["__key__"], theirs["cls"], theirs["json"]) == (ours.key, ours.label, ours.provenance())
        pixels = np.array(theirs["npy"], np.float32) if kind == "npy" else np.array(theirs["png"])
        if kind == "png":
            pixels = pixels.transpose(2, 0, 1)
        np.testing.assert_array_equal(pixels.reshape(ours.pixels().shape), ours.pixels())


def test_hugging_face_reads_the_first_sample_of_each_shard(tmp_path, load_dataset):
    """The head member before it is passed over and does not become part of a sample."""
    for name in ("one", "two"):
        write_file(tmp_path / f"{name}.tar", HEAD, make.samples(1, prefix=name))
    found = load_dataset([str(tmp_path / "one.tar"), str(tmp_path / "two.tar")])
    assert found["__key__"][:] == ["one0", "two0"]


def test_plain_tar_and_numpy_read_a_shard(tmp_path):
    import tarfile

    pixels = make.floats(3)
    write_file(tmp_path / "a.tar", HEAD, [make.sample("k", 2, pixels)])
    with tarfile.open(tmp_path / "a.tar") as archive:
        loaded = np.load(io.BytesIO(archive.extractfile("k.npy").read()), allow_pickle=False)
        assert archive.extractfile("k.cls").read() == b"2"
    np.testing.assert_array_equal(loaded, pixels)
