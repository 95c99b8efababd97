"""Streams that several processes share: every image once an epoch, whatever their number."""

import numpy as np
import pytest
import shard_factory as make
import torch

from advtool import keyed
from advtool.data.holdout import Part
from advtool.data.pieces import pieces_of, ranges
from advtool.data.sources import resolve
from advtool.data.streamed import StreamBatches, automatic_workers
from advtool.errors import UsageError
from advtool.io.head import CompleteHead
from advtool.launchers import Processes

CPU = torch.device("cpu")
HEAD = CompleteHead(classes=tuple("0123456789"), num_classes=10, shape=(1, 8, 8))
UNEQUAL = (17, 1, 40, 5, 23)
"""Samples of the shards."""


@pytest.fixture
def shards(tmp_path):
    for index, n in enumerate(UNEQUAL):
        made = make.samples(n, prefix=f"s{index}-")
        (tmp_path / f"train-{index:06d}.tar").write_bytes(make.shard(made))
    return resolve(str(tmp_path), "train")


def counts(source) -> dict[str, int]:
    return {str(path): n for path, n in zip(source.paths, UNEQUAL, strict=True)}


def ids_of(source) -> list[int]:
    with source.open() as reader:
        return sorted(keyed.ids_of([sample.key for sample in reader]).tolist())


def parts(source, world: int, batch_size: int = 16, n: int | None = None, epoch: int = 0, start: int = 0, **more):
    """Ids of each process by batch."""
    found = []
    for rank in range(world):
        here = Processes(rank, world)
        made = StreamBatches(source, HEAD, batch_size, 0, CPU, limit=n, here=here, **more)
        found.append([ids.tolist() for _, _, ids in made.epoch(epoch, start)])
        if start == 0:
            assert made.decoded == sum(map(len, found[-1]))
    return found


@pytest.mark.parametrize("world", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("epoch", [0, 1])
def test_every_image_comes_once_an_epoch_from_shards(shards, world, epoch):
    n = sum(UNEQUAL)
    found = parts(shards, world, n=n, epoch=epoch, counts=counts(shards))
    assert sorted(id for own in found for batch in own for id in batch) == ids_of(shards)
    assert len({len(own) for own in found}) == 1, "all take as many steps"
    together = [sum(len(own[step]) for own in found) for step in range(len(found[0]))]
    made = StreamBatches(shards, HEAD, 16, 0, CPU, limit=n, here=Processes(0, world), counts=counts(shards))
    assert together == made.sizes and min(len(batch) for own in found for batch in own) >= 2
    again = parts(shards, world, n=n, epoch=epoch, counts=counts(shards))
    assert found == again and found != parts(shards, world, n=n, epoch=epoch + 1, counts=counts(shards))


@pytest.mark.parametrize("world", [2, 3, 5, 7])
def test_files_that_are_listed_come_as_in_one_process(tmp_path, world):
    from PIL import Image

    for number in range(37):
        folder = tmp_path / "photos" / str(number % 3)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(make.pixels(number)[0]).save(folder / f"{number}.png")
    source = resolve(str(tmp_path / "photos"))
    head = CompleteHead(classes=("0", "1", "2"), num_classes=3, shape=(1, 8, 8))
    one = [ids.tolist() for _, _, ids in StreamBatches(source, head, 16, 0, CPU, limit=37).epoch(0)]
    found = [
        [ids.tolist() for _, _, ids in StreamBatches(source, head, 16, 0, CPU, 37, here=Processes(r, world)).epoch(0)]
        for r in range(world)
    ]
    together = [id for step in range(len(found[0])) for own in found for id in own[step]]
    assert together == [id for batch in one for id in batch]


@pytest.mark.parametrize("world", [1, 3])
def test_an_epoch_that_begins_later_goes_on_as_it_would_have(shards, world):
    whole = parts(shards, world, n=86, counts=counts(shards))
    assert parts(shards, world, n=86, counts=counts(shards), start=3) == [own[3:] for own in whole]


def test_shards_that_were_not_counted_are_one_stretch(shards):
    found = parts(shards, 3, n=86)
    assert sorted(id for own in found for batch in own for id in batch) == ids_of(shards)


@pytest.mark.parametrize("n", [1, 17, 18, 50, 86])
def test_the_first_images_are_those_of_the_first_shards(shards, n):
    pieces = pieces_of(shards, counts(shards), n)
    assert sum(piece.n for piece in pieces) == n and len(pieces) == np.searchsorted(np.cumsum(UNEQUAL), n) + 1


def test_what_is_held_out_is_in_no_piece(shards):
    part = Part(shards, 0.3, held_out=False)
    own = {str(path): len(ids_of(Part(resolve(str(path)), 0.3, held_out=False))) for path in shards.paths}
    found = parts(part, 2, n=sum(own.values()), counts=own)
    assert sorted(id for ids in found for batch in ids for id in batch) == ids_of(part)


def test_ranges_are_cut_anywhere(shards):
    pieces = pieces_of(shards, counts(shards))
    for start in range(0, 86, 7):
        cut = ranges(pieces, start, 7)
        assert sum(piece.n for piece in cut) == min(7, 86 - start)
        assert all(piece.first + piece.n <= counts(shards)[str(piece.source.paths[0])] for piece in cut)


def test_too_few_images_for_so_many_processes_are_refused(shards):
    with pytest.raises(UsageError, match="of 4 images there are not 2 images each for 3 processes"):
        StreamBatches(shards, HEAD, 4, 0, CPU, limit=86, here=Processes(0, 3))


def test_cores_are_shared(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    assert automatic_workers() == 7
    for name, value in {"RANK": "0", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "4"}.items():
        monkeypatch.setenv(name, value)
    assert automatic_workers() == 1
