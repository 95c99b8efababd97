"""Going on from finished shards: only as they were written, only by the same command, only for the same samples."""

import os
from dataclasses import replace

import pytest
import shard_factory as make

from advtool.errors import AdvtoolError, UsageError
from advtool.io.directory import ShardDirectory
from advtool.io.head import Head

HEAD = Head(classes=("a", "b"), num_classes=2, records=({"command": "attack", "seed": 1},), history=("advtool attack",))


def dying(samples, n: int):
    yield from samples[:n]
    raise ValueError("stop")


def directory(path, **changes) -> ShardDirectory:
    return ShardDirectory(path, "train", 2, **{"resumable": True, **changes})


def run(path, samples, head: Head = HEAD, after: int | None = None, **changes) -> int:
    """As a command does that passes samples on."""
    made = directory(path, **changes)
    made.check(head)
    todo = made.todo(samples if after is None else dying(samples, after))
    return made.write(head, todo)


@pytest.fixture
def begun(tmp_path):
    """Two finished shards of four."""
    with pytest.raises(ValueError, match="stop"):
        run(tmp_path, make.samples(7), after=5)
    assert len(directory(tmp_path).parts()) == 2
    return tmp_path


def whole(path) -> dict[str, bytes]:
    return {name: (path / name).read_bytes() for name in make.files_below(path)}


def test_it_goes_on_to_the_same_bytes(begun, tmp_path_factory):
    assert run(begun, make.samples(7)) == 3
    straight = tmp_path_factory.mktemp("straight")
    run(straight, make.samples(7))
    assert whole(begun) == whole(straight) and len(whole(straight)) == 4


def cut(path):
    part = directory(path).parts()[0]
    part.write_bytes(part.read_bytes()[:-1024])


def cut_to_nothing(path):
    directory(path).parts()[1].write_bytes(b"")


def one_bit(path):
    part = directory(path).parts()[0]
    data = bytearray(part.read_bytes())
    data[len(data) // 2] ^= 1
    part.write_bytes(data)


def contents_exchanged(path):
    first, second = directory(path).parts()
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)


def names_exchanged(path):
    first, second = directory(path).parts()
    renamed = (second.name.replace("000001", "000000"), first.name.replace("000000", "000001"))
    os.rename(first, path / "x")
    os.rename(second, path / renamed[0])
    os.rename(path / "x", path / renamed[1])


def number_repeated(path):
    part = directory(path).parts()[1]
    part.with_name(part.name.replace("000001", "000003")).write_bytes(part.read_bytes())


def name_of_an_earlier_version(path):
    part = directory(path).parts()[0]
    part.rename(path / ".train-000000.tar.2.part")


FAULTS = [
    *(cut, cut_to_nothing, one_bit, contents_exchanged, names_exchanged, number_repeated),
    name_of_an_earlier_version,
]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_part_that_is_not_what_it_was_is_refused(begun, fault):
    fault(begun)
    before = whole(begun)
    with pytest.raises(UsageError, match=r"unfinished shards .*train-00000.*; -f starts anew"):
        run(begun, make.samples(7))
    kept = whole(begun)
    assert all(kept[name] == data for name, data in before.items())
    assert not [name for name in kept if name.startswith("train")]


def other_samples():
    samples = make.samples(7)
    first = samples[0]
    label = {**first.members, "cls": b"1"} if first.members["cls"] != b"1" else {**first.members, "cls": b"0"}
    image = next(name for name in first.members if name not in ("cls", "json"))
    pixels = {**first.members, image: first.members[image] + b"\0"}
    yield "label", [replace(first, members=label), *samples[1:]]
    yield "bytes", [replace(first, members=pixels), *samples[1:]]
    yield "key", [replace(first, key="other"), *samples[1:]]
    yield "order", [samples[1], first, *samples[2:]]
    yield "fewer", samples[:3]
    yield "one left out", samples[1:]


@pytest.mark.parametrize("samples", [pytest.param(each, id=name) for name, each in other_samples()])
def test_other_samples_are_refused_though_nothing_has_a_head(begun, samples):
    with pytest.raises(UsageError, match="of other samples than these"):
        run(begun, samples)


@pytest.mark.parametrize(
    "change", [{"records": ({"command": "attack", "seed": 2},)}, {"classes": ("a", "c")}, {"split": "test"}]
)
def test_another_command_is_refused(begun, change):
    with pytest.raises(UsageError, match="of another command"):
        run(begun, make.samples(7), replace(HEAD, **change))
    with pytest.raises(UsageError, match="of another size"):
        ShardDirectory(begun, "train", 3).check(HEAD)


def test_what_killed_runs_left_is_swept(begun):
    (begun / ".train-000002.tar.99.tmp").write_bytes(b"half")
    (begun / f".train-000002.tar.{os.getpid()}.tmp").write_bytes(b"half")
    run(begun, make.samples(7))
    assert [*whole(begun)] == [f"train-{number:06d}.tar" for number in range(4)]


def test_parts_of_a_command_that_does_not_go_on_are_not_in_the_way(begun):
    ShardDirectory(begun, "train", 3).write(HEAD, make.samples(7))
    assert [*whole(begun)] == [f"train-{number:06d}.tar" for number in range(3)]


def test_two_runs_at_once_are_refused(tmp_path):
    def meanwhile():
        yield from make.samples(3)
        with pytest.raises(UsageError, match="another run is writing"):
            run(tmp_path, make.samples(7))
        raise AdvtoolError("the end")

    with pytest.raises(AdvtoolError, match="the end"):
        directory(tmp_path).write(HEAD, meanwhile())
    assert len(directory(tmp_path).parts()) == 1
