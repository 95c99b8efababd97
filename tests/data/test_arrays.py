import threading
from pathlib import Path

import numpy as np
import pytest
import shard_factory as make

from advtool.data.arrays import SampleChecker, TooLarge, complete, load
from advtool.data.sources import Shards, resolve
from advtool.errors import AdvtoolError
from advtool.io.head import CompleteHead, Head


@pytest.fixture
def source(tmp_path):
    """Makes a source of one shard or of several."""

    def write(*parts: list, head: Head | None = None) -> Shards:
        paths = []
        for index, part in enumerate(parts):
            paths.append(tmp_path / f"{index}.tar")
            paths[-1].write_bytes(make.shard(part, head))
        return Shards("made", tuple(paths))

    return write


def fault(source, **kwargs) -> str:
    with pytest.raises(AdvtoolError) as caught:
        load(source, **kwargs)
    return str(caught.value)


def test_digits():
    images = load(resolve("digits", "test"))
    assert len(images) == 360
    assert (images.pixels.dtype, images.pixels.shape) == (np.uint8, (360, 1, 8, 8))
    assert images.labels.dtype == np.int64
    assert images.head.classes == tuple("0123456789")
    assert (images.name, images.split) == ("digits", "test")
    assert len(set(images.keys)) == 360


def test_pixels_labels_and_keys_in_order(source):
    images = load(source(make.samples(5)))
    assert images.keys == [f"k{i}" for i in range(5)]
    assert images.labels.tolist() == [0, 1, 2, 0, 1]
    np.testing.assert_array_equal(images.pixels, [make.pixels(i) for i in range(5)])


def test_float_images(source):
    images = load(source([make.sample(f"k{i}", i, make.floats(i)) for i in range(3)]))
    assert images.pixels.dtype == np.float32
    np.testing.assert_array_equal(images.pixels, [make.floats(i) for i in range(3)])


def test_what_the_head_does_not_say_is_filled_in(source):
    images = load(source([make.sample("a", 4), make.sample("b", 2)]))
    assert images.head == CompleteHead(classes=("0", "1", "2", "3", "4"), num_classes=5, shape=(1, 8, 8))


def test_what_the_head_says_stays(source):
    head = Head(classes=("a", "b", "c", "d"), num_classes=4, shape=(1, 8, 8), split="test", history=("x",))
    images = load(source(make.samples(3), head=head))
    assert vars(images.head) == vars(head)
    assert images.split == "test"


def test_complete_keeps_the_larger_number_of_classes():
    assert complete(Head(num_classes=7), (1, 8, 8), 2).num_classes == 7
    assert complete(Head(), (1, 8, 8), 2).classes == ("0", "1", "2")


@pytest.mark.parametrize("n", [1, 3, 5, 99])
def test_limit(source, n):
    assert len(load(source(make.samples(5)), limit=n)) == min(n, 5)


def test_limit_stops_before_a_later_fault(source):
    made = [*make.samples(2), make.sample("bad", cls=b"x")]
    assert len(load(source(made), limit=2)) == 2
    assert "sample 'bad'" in fault(source(made))


def test_more_samples_than_a_chunk(source, monkeypatch):
    monkeypatch.setattr("advtool.data.arrays._CHUNK", 2)
    images = load(source(make.samples(5)))
    np.testing.assert_array_equal(images.pixels, [make.pixels(i) for i in range(5)])


def test_too_large(source):
    made = source(make.samples(5))
    assert len(load(made, max_bytes=5 * 64)) == 5
    with pytest.raises(TooLarge):
        load(made, max_bytes=5 * 64 - 1)


def test_images_of_another_shape_are_named(source):
    made = [make.sample("a"), make.sample("b", image=make.pixels(side=9))]
    assert "0.tar: sample 'b': image is 1×9×9, but those before it are 1×8×8" in fault(source(made))


def test_images_that_contradict_the_head_are_named(source):
    head = Head(shape=(1, 28, 28))
    assert fault(source(make.samples(1), head=head)).endswith("'k0': image is 1×8×8, but the head says 1×28×28")


def test_grey_among_colour_becomes_colour(source):
    made = source([make.sample("a", 0, make.pixels(0, 3)), make.sample("b", 1, make.pixels(1, 1))])
    images = load(made)
    assert images.pixels.shape == (2, 3, 8, 8)
    np.testing.assert_array_equal(images.pixels[1], np.repeat(make.pixels(1, 1), 3, axis=0))


def test_colour_after_grey_is_refused(source):
    made = [make.sample("a", 0, make.pixels(0, 1)), make.sample("b", 1, make.pixels(1, 3))]
    assert "sample 'b': image is 3×8×8, but those before it are 1×8×8" in fault(source(made))


def test_float_after_8_bit_is_refused(source):
    made = source([make.sample("a", 0, make.pixels(0, 3))], [make.sample("b", 1, make.floats(1, 3))])
    assert "sample 'b': image is float32, but those before it are uint8" in fault(made)


def test_a_label_beyond_the_classes_is_named(source):
    head = Head(num_classes=2)
    assert "sample 'k2': label 2, but there are 2 classes" in fault(source(make.samples(3), head=head))


def test_one_large_label_does_not_make_a_million_class_names(source):
    fault(source([make.sample("a", cls=b"1000001")]))


def test_shards_are_read_one_after_another(source):
    images = load(source(make.samples(2), make.samples(2, prefix="b")))
    assert images.keys == ["k0", "k1", "b0", "b1"]


def test_a_corrupt_later_shard_is_named(source, tmp_path):
    made = source(make.samples(2), make.samples(2, prefix="b"))
    Path(made.paths[1]).write_bytes(make.shard(make.samples(2))[:2000])
    assert "1.tar: the archive ends at byte 2000" in fault(made)


def test_take():
    images = load(resolve("digits", "test"), limit=10)
    some = images.take(np.array([7, 2, 2]))
    assert some.keys == [images.keys[i] for i in (7, 2, 2)]
    np.testing.assert_array_equal(some.pixels, images.pixels[[7, 2, 2]])
    np.testing.assert_array_equal(some.labels, images.labels[[7, 2, 2]])
    assert some.head == images.head


def test_checker_with_sizes_that_differ_still_holds_channels_kind_and_classes():
    check = SampleChecker(Head(num_classes=2), sizes_differ=True)
    check(make.sample("a", 0, make.pixels(side=8)))
    check(make.sample("b", 1, make.pixels(side=9)))
    with pytest.raises(AdvtoolError, match="label 2"):
        check(make.sample("c", 2))
    with pytest.raises(AdvtoolError, match="float32"):
        check(make.sample("d", 0, make.floats(channels=1)))
    with pytest.raises(AdvtoolError, match="sample 'e'"):
        check(make.sample("e", 0, make.pixels(channels=3)))


def test_threads_may_share_a_checker():
    """Whichever sample comes first, all are held to it, and to nothing half of it and half of another."""
    grey, colour = make.sample("g", 0, make.pixels(0)), make.sample("c", 0, make.floats(1))
    for _ in range(20):
        check, errors = SampleChecker(Head()), []
        barrier = threading.Barrier(8)

        def run(index, check=check, errors=errors, barrier=barrier):
            barrier.wait()
            for _ in range(5):
                try:
                    check((grey, colour)[index % 2])
                except AdvtoolError as error:
                    errors.append((index % 2, str(error)))

        threads = [threading.Thread(target=run, args=(index,)) for index in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({kind for kind, _ in errors}) == 1 and len(errors) == 20
