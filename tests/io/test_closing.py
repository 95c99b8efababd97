"""Readers close what they open: when they come to the end, when they are given up, and when something is wrong."""

import contextlib
import gc
import gzip
import itertools
import struct
import sys
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import shard_factory as make
import torch

from advtool.data import holdout, sources
from advtool.data.arrays import load
from advtool.data.convert import convert
from advtool.data.inspect import summarize, verify
from advtool.data.streamed import StreamBatches
from advtool.errors import AdvtoolError
from advtool.io import checkpoints, streams, torch_files
from advtool.io.directory import ShardDirectory
from advtool.io.head import Head
from advtool.models import importing
from advtool.training.state import PARTS, State, StateFile


@pytest.fixture(scope="module", autouse=True)
def only_new_objects():
    """Let the collector look at what these tests make; all of torch takes it a second each time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def nothing_left_open(monkeypatch):
    """Fail if a file is left to the garbage collector."""
    left = []
    monkeypatch.setattr(sys, "unraisablehook", lambda event: left.append(event.exc_value))
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        yield
        gc.collect()
    assert not left


@pytest.fixture(params=["shards", "gzip", "parts", "npz", "folders", "mnist"])
def source(request, tmp_path):
    if request.param in ("shards", "parts"):
        make.write_shards(tmp_path, "train-0", make.samples(20, prefix="a"))
        make.write_shards(tmp_path, "train-1", make.samples(20, prefix="b"))
        found = sources.resolve(str(tmp_path))
        return found if request.param == "shards" else holdout.Part(found, 0.3, held_out=False)
    if request.param == "gzip":
        (tmp_path / "a.tar.gz").write_bytes(gzip.compress(make.shard(make.samples(40))))
        return sources.resolve(str(tmp_path / "a.tar.gz"))
    if request.param == "npz":
        pixels = np.stack([make.pixels(index) for index in range(40)])
        np.savez(tmp_path / "a.npz", x=pixels, y=np.arange(40) % 3)
        return sources.resolve(str(tmp_path / "a.npz"))
    if request.param == "folders":
        make.write_classes(tmp_path, {"a": 10, "b": 10})
        return sources.resolve(str(tmp_path))
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part in ("train", "t10k"):
        (raw / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">HBB3I", 0, 8, 3, 5, 28, 28) + bytes(5 * 28 * 28))
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">HBBI", 0, 8, 1, 5) + bytes(5))
    return sources.resolve("mnist", "test", data_root=tmp_path)


@pytest.mark.parametrize(
    "use",
    [
        lambda source: list(source.open()),
        lambda source: list(itertools.islice(source.open(), 3)),
        lambda source: source.open().head,
        lambda source: next(iter(source.open())),
        load,
        lambda source: load(source, 2),
        summarize,
        lambda source: summarize(source, 2),
        verify,
        lambda source: list(convert(source, "c").samples),
        lambda source: convert(source, "c"),
        lambda source: list(_batches(source).epoch(0)),
        lambda source: next(_batches(source).epoch(0)),
        lambda source: holdout.split(load(source), 0.5) if len(load(source)) > 10 else None,
    ],
    ids=lambda use: None,
)
def test_sources(source, use):
    use(source)


def _batches(source) -> StreamBatches:
    return StreamBatches(source, load(source, 5).head, 2, 0, torch.device("cpu"))


@pytest.mark.parametrize("damage", [lambda tar: tar[:3000], lambda tar: b"no tar" + tar, lambda tar: b""])
def test_a_fault_closes_as_well(tmp_path, damage):
    path = tmp_path / "bad.tar"
    path.write_bytes(damage(make.shard(make.samples(5))))
    kept = None
    try:
        list(sources.resolve(str(path)).open())
    except AdvtoolError as error:
        kept = error
    assert kept


def test_an_open_reader_can_be_closed_before_its_end_and_twice(tmp_path):
    make.write_shards(tmp_path, "train", make.samples(5))
    with sources.resolve(str(tmp_path)).open() as reader:
        iterator = iter(reader)
        next(iterator)
    reader.close()
    assert list(iterator) == []


def test_standard_input_stays_open(monkeypatch, tmp_path):
    make.write_shards(tmp_path, "train", make.samples(5))
    with open(tmp_path / "train-000000.tar", "rb") as file:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=file))
        streams.stdin.cache_clear()
        assert len(list(sources.Stdin().open())) == 5
        assert not file.closed
    streams.stdin.cache_clear()


def test_checkpoints_torch_files_and_states(tmp_path):
    weights = {"weight": torch.ones(2)}
    (tmp_path / "m.safetensors").write_bytes(checkpoints.to_bytes(weights, {}))
    torch.save(weights, tmp_path / "m.pt")
    checkpoints.read(streams.open_path(tmp_path / "m.safetensors"))
    importing.read(streams.open_path(tmp_path / "m.safetensors"))
    torch_files.read_states(streams.open_path(tmp_path / "m.pt"))
    for path, read in (
        ("m.pt", checkpoints.read),
        ("m.safetensors", torch_files.read_states),
        ("m.pt", importing.read),
    ):
        with contextlib.suppress(AdvtoolError):
            read(streams.open_path(tmp_path / path))
    state = StateFile(tmp_path / "out", {})
    state.write(State({part: {"weight": torch.ones(2)} for part in PARTS}, ()))
    assert state.read()


def test_shards_of_a_run_to_be_resumed(tmp_path):
    def failing():
        yield from make.samples(5)
        raise AdvtoolError("the end")

    directory = ShardDirectory(tmp_path, "train", 2, resumable=True)
    with pytest.raises(AdvtoolError, match="the end"):
        directory.write(Head(), failing())
    assert directory.parts()
    directory.check(Head())
