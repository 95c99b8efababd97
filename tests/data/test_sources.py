import subprocess
import sys
from pathlib import Path

import pytest
import shard_factory as make
from tests_support import environment

from advtool.data import named
from advtool.data.folders import ClassFolders
from advtool.data.sources import NAMES, Shards, embedded_shards, resolve
from advtool.errors import AdvtoolError, UsageError
from advtool.io.head import Head

SHOW = (
    "import sys\nfrom advtool.data.sources import resolve\nfrom advtool.errors import AdvtoolError\n"
    "spec = sys.argv[1] if len(sys.argv) > 1 else None\n"
    "try:\n    source = resolve(spec)\n    print(source.name, *(s.key for s in list(source.open())[:4]))\n"
    "except AdvtoolError as error:\n    print(error, file=sys.stderr)\n    sys.exit(error.exit_code)\n"
)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def show(*spec: str, stdin=subprocess.DEVNULL, data: bytes | None = None) -> subprocess.CompletedProcess:
    feed = {"stdin": stdin} if data is None else {"input": data}
    command = [sys.executable, "-c", SHOW, *spec]
    return subprocess.run(command, capture_output=True, env=environment(), check=False, **feed)


def keys(source) -> list[str]:
    return [sample.key for sample in source.open()]


def refused(*args, **kwargs) -> str:
    with pytest.raises(UsageError) as caught:
        resolve(*args, **kwargs)
    return str(caught.value)


def test_the_names_that_are_known():
    assert set(NAMES) == {
        "digits",
        "patterns",
        "mnist",
        "fashion-mnist",
        "kmnist",
        "cifar10",
        "cifar100",
        "svhn",
        "cifar10.1",
    }


@pytest.mark.parametrize(("split", "n"), [("train", 1437), ("test", 360), (None, 1437)])
def test_digits_are_embedded(split, n):
    source = resolve("digits", split)
    assert (source.name, source.split, source.splits) == ("digits", split or "train", ("train", "test"))
    assert source.repeatable
    reader = source.open()
    assert reader.head.num_classes == 10
    assert len(list(reader)) == n


def test_the_default_split_is_the_callers():
    assert resolve("digits", default_split="test").split == "test"
    assert resolve("digits", "train", default_split="test").split == "train"


@pytest.mark.parametrize("name", named.NAMES)
def test_named_datasets_resolve_without_touching_the_disk(name, tmp_path):
    source = resolve(name, "test", data_root=tmp_path / "none")
    assert (source.name, source.split, source.download) == (name, "test", False)


def test_a_shard_by_its_path(tmp_path):
    path = make.write_shards(tmp_path, "train", make.samples(2))
    source = resolve(str(path))
    assert isinstance(source, Shards)
    assert source.split is None
    assert keys(source) == keys(source) == ["k0", "k1"]


def test_globs_and_braces_are_read_in_order(here):
    for i in (2, 0, 1):
        Path(f"s-{i}.tar").write_bytes(make.shard(make.samples(1, prefix=f"s{i}-")))
    assert keys(resolve("s-*.tar")) == ["s0-0", "s1-0", "s2-0"]
    assert keys(resolve("s-{0..1}.tar")) == ["s0-0", "s1-0"]
    assert keys(resolve("s-{0,2}.tar")) == ["s0-0", "s2-0"]
    assert keys(resolve("s-[12].tar")) == ["s1-0", "s2-0"]
    assert keys(resolve("{s-*.tar,s-0.tar}")) == ["s0-0", "s1-0", "s2-0"]


def test_a_brace_pattern_of_which_a_shard_is_missing_is_refused(here):
    """Reading the others would be partial data without a word."""
    for i in (0, 2):
        Path(f"s-{i}.tar").write_bytes(make.shard(make.samples(1)))
    assert "s-1.tar" in refused("s-{0..2}.tar")


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(here):
    Path("s-{0..1}[a].tar").write_bytes(make.shard(make.samples(2)))
    assert keys(resolve("s-{0..1}[a].tar")) == ["k0", "k1"]


def test_a_directory_of_shards_has_splits(here):
    make.write_shards(here / "d", "train", make.samples(3))
    make.write_shards(here / "d", "test", make.samples(2))
    (here / "d" / "train-000001.tar.gz").write_bytes(make.shard(make.samples(1, prefix="more")))
    assert keys(resolve("d")) == ["k0", "k1", "k2", "more0"]
    assert keys(resolve("d/", "test")) == ["k0", "k1"]
    assert resolve("d").splits == ("train", "test")


def test_a_missing_split_says_which_there_are(here):
    make.write_shards(here / "d", "test", make.samples(2))
    assert refused("d") == "data d: has no split 'train' (has test)"
    assert keys(resolve("d", default_split="test")) == ["k0", "k1"]
    assert "has no split 'validation' (has train, test)" in refused("digits", "validation")


def test_a_directory_of_other_tars_is_read_whole(here):
    make.write_shards(here / "d", "b", make.samples(1, prefix="b"))
    make.write_shards(here / "d", "a", make.samples(1, prefix="a"))
    (here / "d" / ".hidden.tar").write_bytes(b"not a tar")
    (here / "d" / "README").write_text("text")
    assert keys(resolve("d")) == ["a0", "b0"]


def test_class_folders_with_and_without_splits(here):
    make.write_classes(here / "plain", {"cat": 1, "dog": 2})
    make.write_classes(here / "split" / "train", {"cat": 2, "dog": 1})
    make.write_classes(here / "split" / "val", {"cat": 1, "dog": 1})
    plain, train, test = resolve("plain"), resolve("split"), resolve("split", "test")
    assert all(isinstance(source, ClassFolders) for source in (plain, train, test))
    assert (plain.split, train.split, test.split) == (None, "train", "test")
    assert train.splits == ("train", "test")
    assert [len(keys(source)) for source in (plain, train, test)] == [3, 3, 2]
    make.write_classes(here / "only" / "train", {"cat": 1})
    assert refused("only", "test") == "data only: has no split 'test' (has train)"


@pytest.mark.parametrize("content", [[], ["notes.txt"], ["folder/notes.txt"]], ids=["empty", "text", "folder of text"])
def test_a_directory_of_neither_is_refused(here, content):
    (here / "d" / "folder").mkdir(parents=True)
    for name in content:
        (here / "d" / name).write_text("text")
    assert "neither shards (train-*.tar) nor class folders" in refused("d")


@pytest.mark.parametrize(
    ("name", "near"),
    [("cifar", "cifar10"), ("minst", "mnist"), ("fashion_mnist", "fashion-mnist"), ("digit", "digits")],
)
def test_an_unknown_name_gives_the_near_ones(name, near):
    message = refused(name)
    assert message.startswith(f"unknown dataset, file or directory '{name}': did you mean ")
    assert near in message


def test_a_name_like_none_gives_all():
    assert "known: digits, patterns, mnist" in refused("xyzzy")


@pytest.mark.parametrize("spec", ["none.tar", "none/", "a/b", "none-*.tar", "none-{0..3}.tar", "none.tar.gz"])
def test_a_path_that_does_not_exist_is_refused(spec):
    assert refused(spec) == f"data {spec}: no such file or directory"


@pytest.mark.parametrize("spec", ["a{b.tar", "a}b{.tar"])
def test_unbalanced_braces_are_refused(spec):
    assert "brace" in refused(spec) or "no such file" in refused(spec)


@pytest.mark.parametrize(
    "spec",
    [
        "pipe:cat a.tar",
        "pipe:touch ran",
        "https://example.org/a.tar",
        "s3://b/a.tar",
        "http://h/{0..3}.tar",
        "file:///a",
    ],
)
def test_addresses_and_commands_are_refused_and_not_run(here, spec):
    (here / "a.tar").write_bytes(make.shard(make.samples(1)))
    assert "not opened; pipe the shards in" in refused(spec)
    assert make.files_below(here) == ["a.tar"]


def test_a_local_directory_goes_before_a_name(here):
    make.write_shards(here / "mnist", "train", make.samples(2))
    assert keys(resolve("mnist")) == ["k0", "k1"]


def test_embedded_shards_are_beside_the_package():
    found = sorted(path.name for path in embedded_shards().glob("*.tar"))
    assert found == ["digits-test-000000.tar", "digits-train-000000.tar"]


def test_without_data_on_stdin_digits_are_the_default():
    done = show()
    assert done.stdout.startswith(b"digits 00"), done.stderr


def test_data_on_stdin_is_the_default(here):
    data = make.shard(make.samples(2))
    Path("a.tar").write_bytes(data)
    assert show(data=data).stdout == b"stdin k0 k1\n"
    with open("a.tar", "rb") as file:
        assert show(stdin=file).stdout == b"stdin k0 k1\n"


def test_a_dash_reads_concatenated_tars():
    done = show("-", data=make.shard(make.samples(2)) + make.shard(make.samples(2, prefix="b")))
    assert (done.stdout, done.stderr) == (b"stdin k0 k1 b0 b1\n", b"")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (make.shard(make.samples(3))[:5000], b"stdin: the archive ends at byte 5000"),
        (b"", b"the stage before this one wrote nothing"),
        (b"hello\n", b"stdin: looks like plain text"),
    ],
)
def test_what_is_wrong_on_stdin_is_one_line(data, says):
    done = show("-", data=data)
    assert (done.returncode, done.stdout) == (1, b"")
    assert says in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_a_fifo_is_read_as_a_shard(here):
    line = f'mkfifo pipe; cat a.tar > pipe & exec "{sys.executable}" -c "$0" pipe'
    Path("a.tar").write_bytes(make.shard(make.samples(2), Head(num_classes=3)))
    done = subprocess.run(
        ["bash", "-c", line, SHOW], capture_output=True, stdin=subprocess.DEVNULL, env=environment(), timeout=60
    )
    assert (done.stdout, done.stderr) == (b"pipe k0 k1\n", b"")


def test_a_file_that_is_no_tar_is_an_error_when_opened(here):
    Path("a.tar").write_text("text")
    with pytest.raises(AdvtoolError, match=r"a\.tar: looks like plain text"):
        resolve("a.tar").open()


def test_shards_and_folders_of_the_shared_data(shared_data):
    folders = shared_data / "imagenet-sample"
    if not folders.is_dir():
        pytest.skip("no imagenet-sample here")
    source = resolve(str(folders))
    assert isinstance(source, ClassFolders)
    assert source.split is None
