import numpy as np
import pytest
import shard_factory as make
import torch

from advtool import keyed
from advtool.data.arrays import load
from advtool.data.batches import MemoryBatches, grouped, in_order, sizes_of, to_float
from advtool.data.sources import Shards, resolve
from advtool.data.streamed import StreamBatches
from advtool.errors import AdvtoolError
from advtool.io.head import Head

CPU = torch.device("cpu")
N = 50


@pytest.fixture
def source(tmp_path) -> Shards:
    for split in ("a", "b"):
        make.write_shards(tmp_path, split, make.samples(N // 2, prefix=split))
    return resolve(str(tmp_path))


@pytest.fixture
def images(source):
    return load(source)


@pytest.fixture(params=["memory", "stream"])
def batches(request, source, images):
    def build(batch_size: int = 8, seed: int = 0, **kwargs):
        if request.param == "memory":
            return MemoryBatches(images, batch_size, seed, CPU)
        return StreamBatches(source, images.head, batch_size, seed, CPU, **kwargs)

    return build


def flat(epoch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pixels, labels and ids of all batches."""
    return tuple(map(torch.cat, zip(*epoch, strict=True)))


def test_each_sample_comes_once_an_epoch_with_its_own_pixels_and_label(batches, images):
    place = {int(identity): i for i, identity in enumerate(keyed.ids_of(images.keys))}
    made = batches()
    for epoch in (0, 1):
        pixels, labels, ids = flat(made.epoch(epoch))
        indices = [place[int(identity)] for identity in ids]
        assert sorted(indices) == list(range(N))
        np.testing.assert_array_equal(labels, images.labels[indices])
        np.testing.assert_array_equal(pixels, images.pixels[indices].astype(np.float32) / 255)


def test_batches_are_float_full_and_on_the_device(batches):
    sizes = []
    for pixels, labels, ids in batches(batch_size=8).epoch(0):
        assert (pixels.dtype, labels.dtype, ids.dtype) == (torch.float32, torch.int64, torch.int64)
        assert pixels.shape[1:] == (1, 8, 8)
        assert 0 <= pixels.min() <= pixels.max() <= 1
        sizes.append((len(pixels), len(labels), len(ids)))
    assert sizes == [(8, 8, 8)] * 6 + [(2, 2, 2)]


@pytest.mark.parametrize(
    ("batch_size", "sizes"), [(7, [7] * 6 + [8]), (49, [50]), (48, [48, 2]), (50, [50]), (64, [50]), (1, [1] * 50)]
)
def test_a_last_image_alone_joins_the_batch_before_it(batches, batch_size, sizes):
    epoch = list(batches(batch_size=batch_size).epoch(0))
    assert [len(labels) for _, labels, _ in epoch] == sizes
    reference = flat(batches(batch_size=8).epoch(0))
    assert all(torch.equal(a, b) for a, b in zip(flat(epoch), reference, strict=True))


@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_the_sizes_are_those_of_the_groups(size):
    for n in range(20):
        groups = list(grouped(iter(range(n)), size))
        assert [item for group in groups for item in group] == list(range(n))
        assert sizes_of(n, size) == [len(group) for group in groups]


def test_the_order_depends_on_seed_and_epoch_only(batches):
    def order(epoch, **kwargs):
        return flat(batches(**kwargs).epoch(epoch))[2].tolist()

    reference = order(0, seed=0)
    assert order(0, seed=0, batch_size=7) == reference
    assert order(1, seed=0) != reference
    assert order(0, seed=1) != reference
    assert order(1, seed=0) == order(1, seed=0)


def test_an_epoch_does_not_depend_on_those_before_it(batches):
    made = batches()
    for epoch in range(3):
        list(made.epoch(epoch))
    assert torch.equal(flat(made.epoch(1))[2], flat(batches().epoch(1))[2])


def test_global_randomness_is_neither_used_nor_changed(batches):
    torch.manual_seed(0)
    reference = flat(batches().epoch(0))[2]
    torch.manual_seed(1)
    state = torch.get_rng_state()
    assert torch.equal(flat(batches().epoch(0))[2], reference)
    assert torch.equal(torch.get_rng_state(), state)


def test_the_order_is_shuffled(batches, images):
    order = flat(batches().epoch(0))[2].tolist()
    place = {int(identity): i for i, identity in enumerate(keyed.ids_of(images.keys))}
    moved = np.array([place[identity] for identity in order])
    assert abs(np.corrcoef(moved, np.arange(N))[0, 1]) < 0.6


def test_an_epoch_left_half_way_can_be_started_anew(batches):
    made = batches()
    first = next(made.epoch(0))
    again = next(made.epoch(0))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def test_memory_batches_know_their_number(images):
    assert MemoryBatches(images, 8, 0, CPU).n == N


def test_stream_batches_know_their_number_after_an_epoch(source, images):
    made = StreamBatches(source, images.head, 8, 0, CPU)
    assert made.n is None
    list(made.epoch(0))
    assert made.n == N


@pytest.mark.parametrize("limit", [1, 20, 30])
def test_stream_batches_take_the_first_samples_up_to_the_limit(source, images, limit):
    ids = flat(StreamBatches(source, images.head, 8, 0, CPU, limit=limit).epoch(0))[2]
    assert sorted(ids.tolist()) == sorted(keyed.ids_of(images.keys[:limit]).tolist())


def test_stream_batches_with_a_small_buffer_still_give_each_sample_once(source, images, monkeypatch):
    monkeypatch.setattr("advtool.data.streamed.SHUFFLE_BUFFER", 5)
    ids = flat(StreamBatches(source, images.head, 8, 0, CPU).epoch(0))[2]
    assert sorted(ids.tolist()) == sorted(keyed.ids_of(images.keys).tolist())


@pytest.mark.parametrize("workers", [1, 2])
def test_the_number_of_workers_changes_nothing(source, images, workers):
    reference = flat(StreamBatches(source, images.head, 8, 0, CPU).epoch(0))
    found = flat(StreamBatches(source, images.head, 8, 0, CPU, workers=workers).epoch(0))
    assert all(torch.equal(a, b) for a, b in zip(found, reference, strict=True))


def test_a_stream_with_a_bad_sample_raises_and_names_it(tmp_path, images):
    path = tmp_path / "bad.tar"
    path.write_bytes(make.shard([*make.samples(5), make.sample("bad", image=make.pixels(side=9))]))
    made = StreamBatches(resolve(str(path)), images.head, 2, 0, CPU)
    with pytest.raises(AdvtoolError, match="sample 'bad': image is 1×9×9"):
        list(made.epoch(0))


def test_a_stream_that_is_cut_raises(tmp_path, images):
    path = tmp_path / "cut.tar"
    path.write_bytes(make.shard(make.samples(5))[:8192])
    with pytest.raises(AdvtoolError, match="ends at byte 8192"):
        list(StreamBatches(resolve(str(path)), images.head, 2, 0, CPU).epoch(0))


def test_a_label_beyond_the_classes_of_the_head_raises(source):
    made = StreamBatches(source, Head(num_classes=2, shape=(1, 8, 8)), 8, 0, CPU)
    with pytest.raises(AdvtoolError, match="label 2, but there are 2 classes"):
        list(made.epoch(0))


def test_in_order(images):
    pixels, labels, ids = flat(in_order(images, 8, CPU))
    np.testing.assert_array_equal(pixels, images.pixels.astype(np.float32) / 255)
    np.testing.assert_array_equal(labels, images.labels)
    assert torch.equal(ids, keyed.ids_of(images.keys))
    assert [len(batch[1]) for batch in in_order(images, 8, CPU)] == [8] * 6 + [2]


def test_float_images_pass_without_rounding(tmp_path):
    path = tmp_path / "f.tar"
    path.write_bytes(make.shard([make.sample(f"k{i}", i, make.floats(i)) for i in range(4)]))
    images = load(resolve(str(path)))
    expected = np.stack([make.floats(i) for i in range(4)])
    np.testing.assert_array_equal(flat(in_order(images, 3, CPU))[0], expected)
    for made in (MemoryBatches(images, 3, 0, CPU), StreamBatches(resolve(str(path)), images.head, 3, 0, CPU)):
        pixels, labels, _ = flat(made.epoch(0))
        np.testing.assert_array_equal(pixels, expected[labels.numpy()])


def test_batches_do_not_share_memory_with_the_images(images):
    before = images.pixels.copy()
    for made in (in_order(images, 8, CPU), MemoryBatches(images, 8, 0, CPU).epoch(0)):
        for pixels, labels, ids in made:
            pixels.zero_(), labels.zero_(), ids.zero_()
    np.testing.assert_array_equal(images.pixels, before)
    assert images.labels.any()


def test_to_float_is_exact():
    every = torch.arange(256, dtype=torch.uint8)
    np.testing.assert_array_equal(to_float(every), np.arange(256, dtype=np.float32) / np.float32(255))
    assert every.dtype == torch.uint8
