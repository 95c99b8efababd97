"""A source in parts: together they are the whole, and the first image is looked at before the rest."""

import numpy as np
import pytest
import shard_factory as make

from advtool.data.arrays import load
from advtool.data.parts import Parts
from advtool.data.sources import resolve
from advtool.errors import AdvtoolError
from advtool.io.head import Head
from advtool.preprocessing import Preprocessing


@pytest.fixture
def shard(tmp_path):
    path = tmp_path / "x.tar"
    made = [make.sample(f"k{n}", n % 3, make.pixels(n, side=10)) for n in range(11)]
    path.write_bytes(make.shard(made, Head(classes=("a", "b", "c"), num_classes=3)))
    return resolve(str(path))


@pytest.mark.parametrize(
    ("step", "max_bytes", "sizes"),
    [(1, 300, [3, 3, 3, 2]), (2, 300, [2, 2, 2, 2, 2, 1]), (4, 100, [4, 4, 3]), (1, None, [11]), (1, 1100, [11])],
)
def test_parts_together_are_the_whole(shard, step, max_bytes, sizes):
    whole = load(shard)
    with Parts(shard, step=step, max_bytes=max_bytes) as parts:
        assert parts.n is None and parts.shape == (1, 10, 10)
        found = list(parts)
        assert parts.n == 11
    assert [len(part) for part in found] == sizes
    assert np.array_equal(np.concatenate([part.pixels for part in found]), whole.pixels)
    assert [key for part in found for key in part.keys] == whole.keys
    assert np.concatenate([part.labels for part in found]).tolist() == whole.labels.tolist()
    assert all(part.head == whole.head and part.name == whole.name for part in found)


def test_the_number_is_known_with_the_last_part(shard):
    with Parts(shard, limit=6, max_bytes=300) as parts:
        assert [(len(part), parts.n) for part in parts] == [(3, None), (3, 6)]
    with Parts(resolve("digits"), limit=7) as parts:
        assert [len(part) for part in parts] == [7]


def test_sizes_are_made_in_each_part(shard):
    wanted = Preprocessing(8, 0.8)
    whole = load(shard, preprocessing=wanted)
    with Parts(shard, preprocessing=wanted, max_bytes=200) as parts:
        assert parts.shape == (1, 8, 8)
        found = list(parts)
    assert np.array_equal(np.concatenate([part.pixels for part in found]), whole.pixels)
    assert {part.preprocessing for part in found} == {wanted}


def test_a_late_fault_comes_after_the_parts_before_it(tmp_path):
    made = [make.sample(f"k{n}", 0, make.pixels(n)) for n in range(4)] + [make.sample("odd", 0, make.pixels(side=9))]
    (tmp_path / "x.tar").write_bytes(make.shard(made))
    with Parts(resolve(str(tmp_path / "x.tar")), max_bytes=128) as parts:
        found = iter(parts)
        assert [len(next(found)), len(next(found))] == [2, 2]
        with pytest.raises(AdvtoolError, match="sample 'odd': image is 1×9×9"):
            next(found)
