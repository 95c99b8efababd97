"""A part of a source knows of its own samples what the source knows of all."""

import numpy as np
import pytest
import shard_factory as make
import torch
from scipy.stats import spearmanr

from advtool import keyed
from advtool.data import holdout, streamed
from advtool.data.arrays import load
from advtool.data.holdout import Part
from advtool.data.sources import resolve
from advtool.errors import UsageError
from advtool.io.head import complete
from advtool.training.options import Training
from advtool.training.run import TrainingRun

CPU = torch.device("cpu")
N = 300


@pytest.fixture(params=["folders", "shards", "npz"])
def source(request, tmp_path):
    if request.param == "folders":
        make.write_classes(tmp_path, {"a": N // 2, "b": N // 2})
        return resolve(str(tmp_path))
    if request.param == "shards":
        make.write_shards(tmp_path, "train", make.samples(N))
        return resolve(str(tmp_path))
    np.savez(tmp_path / "a.npz", x=np.stack([make.pixels(index) for index in range(N)]), y=np.arange(N) % 3)
    return resolve(str(tmp_path / "a.npz"))


def keys_of(source) -> list[str]:
    with source.open() as reader:
        return [sample.key for sample in reader]


def correlation(source) -> float:
    """Rank correlation of the order of the source with that of training on it."""
    with source.open() as reader:
        head = complete(reader.head, (1, 8, 8), 2)
    place = {int(identity): rank for rank, identity in enumerate(keyed.ids_of(keys_of(source)))}
    made = streamed.StreamBatches(source, head, 16, 0, CPU)
    order = [place[int(identity)] for _, _, ids in made.epoch(0) for identity in ids]
    assert sorted(order) == list(range(len(place)))
    return abs(float(spearmanr(order, np.arange(len(order))).statistic))


@pytest.mark.parametrize("held_out", [True, False])
@pytest.mark.parametrize("limit", [None, 100])
def test_count_arrays_and_listing_are_those_of_the_samples(source, held_out, limit):
    part = Part(source, 0.3, held_out, limit)
    expected = [key for key in keys_of(source)[:limit] if holdout.is_held_out([key], 0.3)[0] == held_out]
    assert keys_of(part) == expected
    with part.open() as reader, source.open() as whole:
        assert reader.count() in (None, len(expected)) and (reader.count() is None) == (whole.count() is None)
        arrays, listing = reader.arrays(), reader.listing()
        assert (arrays is None, listing is None) == (whole.arrays() is None, whole.listing() is None)
        samples = list(part.open())
        if arrays:
            assert arrays.keys == expected
            np.testing.assert_array_equal(arrays.pixels, [sample.pixels() for sample in samples])
            assert arrays.labels.tolist() == [sample.label for sample in samples]
        if listing:
            assert list(listing.keys) == expected
            assert [listing.read(index) for index in range(len(listing))] == samples
    np.testing.assert_array_equal(load(part).pixels, [sample.pixels() for sample in samples])


def test_class_folders_are_shuffled_as_a_whole_with_and_without_a_part_held_out(tmp_path, monkeypatch):
    monkeypatch.setattr(streamed, "SHUFFLE_BUFFER", 5)
    make.write_classes(tmp_path, {"a": N // 2, "b": N // 2})
    whole = resolve(str(tmp_path))
    assert correlation(whole) < 0.2
    assert correlation(Part(whole, 0.2, held_out=False)) < 0.2


def test_shards_are_shuffled_in_the_buffer_with_and_without_a_part_held_out(tmp_path, monkeypatch):
    make.write_shards(tmp_path, "train", make.samples(N))
    whole = resolve(str(tmp_path))
    parts = (whole, Part(whole, 0.2, held_out=False))
    assert all(correlation(each) < 0.2 for each in parts)
    monkeypatch.setattr(streamed, "SHUFFLE_BUFFER", 5)
    assert all(correlation(each) > 0.9 for each in parts)


def test_streamed_training_on_class_folders_is_shuffled_beside_what_is_held_out(tmp_path, monkeypatch):
    monkeypatch.setattr(streamed, "SHUFFLE_BUFFER", 5)
    make.write_classes(tmp_path, {"a": N // 2, "b": N // 2})
    wishes = Training(arch="linear", max_memory=1e-5, val=0.1)
    run = TrainingRun(resolve(str(tmp_path)), wishes, CPU)
    assert run.data.streamed and run.data.n + len(run.validation) == N
    place = {int(identity): rank for rank, identity in enumerate(keyed.ids_of(keys_of(resolve(str(tmp_path)))))}
    made = run.data.batches(16, 0, CPU, 2)
    order = [place[int(identity)] for _, _, ids in made.epoch(0) for identity in ids]
    assert len(order) == run.data.n
    assert abs(spearmanr(order, np.arange(len(order))).statistic) < 0.2


def test_a_part_that_leaves_nothing_on_one_side_is_refused(source):
    with pytest.raises(UsageError, match=r"^val 1e-09: of 300 images 0 would be held out"):
        holdout.split(load(source), 1e-9)
