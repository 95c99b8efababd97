import gzip
import io
import subprocess
import sys
import tarfile

import pytest
import shard_factory as make
from tests_support import environment

from advtool.errors import AdvtoolError
from advtool.io.directory import ShardDirectory
from advtool.io.head import NAME, Head
from advtool.io.readers import SampleReader
from advtool.io.samples import Sample
from advtool.io.shards import shard_paths, write_file, write_stream
from advtool.io.streams import open_path

HEAD = Head(num_classes=3, shape=(1, 8, 8), split="train")


def dying(n: int):
    """Samples of a source that fails after the first n."""
    yield from make.samples(n)
    raise AdvtoolError("source died")


def keys(*paths) -> list[str]:
    return [sample.key for sample in SampleReader(map(open_path, paths), "made")]


def test_head_is_first_then_image_label_and_provenance_of_each_sample():
    data = make.shard([make.sample("a", json=b"{}"), make.sample("b", json=b"{}")], HEAD)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert archive.getnames() == [NAME, "a.png", "a.cls", "a.json", "b.png", "b.cls", "b.json"]
        assert Head.from_bytes(archive.extractfile(NAME).read(), "made") == HEAD


def test_an_archive_is_whole_and_a_multiple_of_a_record():
    for n in (1, 3, 8, 9, 30):
        data = make.shard(make.samples(n))
        assert len(data) % tarfile.RECORDSIZE == 0
        assert len(make.read(data)) == n


def test_same_input_gives_the_same_bytes():
    assert make.shard(make.samples(5), HEAD) == make.shard(make.samples(5), HEAD)


def test_order_of_the_members_of_a_sample_does_not_matter():
    swapped = [Sample(s.key, dict(reversed(s.members.items())), s.shard) for s in make.samples(5)]
    assert make.shard(swapped) == make.shard(make.samples(5))


def test_bytes_hold_no_time_and_no_user():
    with tarfile.open(fileobj=io.BytesIO(make.shard(make.samples(2)))) as archive:
        assert {(m.mtime, m.uid, m.gid, m.uname, m.gname) for m in archive} == {(0, 0, 0, "", "")}


@pytest.mark.parametrize("key", ["n" * 95, "n" * 99, "n" * 300, "folder/" * 30 + "a", "数字/七", "\udcff", "a b"])
def test_any_key_comes_back(key):
    data = make.shard([make.sample(key, 2)])
    assert [(s.key, s.label) for s in make.read(data)] == [(key, 2)]
    with tarfile.open(fileobj=io.BytesIO(data), encoding="utf-8", errors="surrogateescape") as archive:
        assert archive.getnames()[1:] == [f"{key}.png", f"{key}.cls"]


def test_members_of_other_extensions_pass_untouched():
    data = make.shard([make.sample("a", **{"seg.txt": b"other"})])
    with pytest.warns(UserWarning, match="passed over"):
        assert make.read(data)[0].members["seg.txt"] == b"other"


def test_a_stream_whose_source_dies_has_no_end_marker():
    out = io.BytesIO()
    with pytest.raises(AdvtoolError, match="source died"):
        write_stream(out, HEAD, dying(2))
    whole = make.shard(make.samples(2), HEAD)
    assert whole.startswith(out.getvalue())
    with pytest.raises(AdvtoolError, match="without the end-of-archive marker"):
        make.read(out.getvalue())


def test_a_process_that_dies_half_way_writes_no_end_marker_to_its_pipe_and_one_line_to_stderr():
    program = (
        "import sys\nimport shard_factory as make\nfrom advtool.io.head import Head\n"
        "from advtool.io.shards import write_stream\n"
        "def dying():\n    yield from make.samples(2)\n    raise KeyError('source died')\n"
        "try: write_stream(sys.stdout.buffer, Head(), dying())\n"
        "except KeyError: print('died', file=sys.stderr)\n"
    )
    env = environment(PYTHONPATH=f"{environment()['PYTHONPATH']}:{make.__file__.rpartition('/')[0]}", PYTHONDEVMODE="1")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, env=env, check=False)
    assert done.stderr == b"died\n"
    assert make.shard(make.samples(2)).startswith(done.stdout)
    with pytest.raises(AdvtoolError, match="end-of-archive marker"):
        make.read(done.stdout)


@pytest.mark.parametrize("name", ["out.tar", "out.tar.gz", "out.tgz"])
def test_a_file_whose_source_dies_does_not_appear(tmp_path, name):
    with pytest.raises(AdvtoolError, match="source died"):
        write_file(tmp_path / name, HEAD, dying(50))
    assert make.files_below(tmp_path) == []


def test_a_gzip_file_whose_source_dies_prints_nothing():
    program = (
        "import shard_factory as make, tempfile\nfrom advtool.io.head import Head\n"
        "from advtool.io.shards import write_file\n"
        "def dying():\n    yield from make.samples(2)\n    raise KeyError\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        "    try: write_file(folder + '/out.tar.gz', Head(), dying())\n"
        "    except KeyError: pass\n"
    )
    env = environment(PYTHONPATH=f"{environment()['PYTHONPATH']}:{make.__file__.rpartition('/')[0]}", PYTHONDEVMODE="1")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, env=env, check=False)
    assert (done.stdout, done.stderr) == (b"", b"")


@pytest.mark.parametrize("name", ["out.tar", "out.tar.gz"])
def test_files_are_deterministic_and_read_back(tmp_path, name):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        assert write_file(tmp_path / folder / name, HEAD, make.samples(4)) == 4
    data = (tmp_path / "one" / name).read_bytes()
    assert data == (tmp_path / "two" / name).read_bytes()
    assert (gzip.decompress(data) if name.endswith("gz") else data) == make.shard(make.samples(4), HEAD)
    assert keys(tmp_path / "one" / name) == ["k0", "k1", "k2", "k3"]


def test_a_sample_with_other_members_is_refused(tmp_path):
    mixed = [*make.samples(2), make.sample("odd", json=b"{}")]
    with pytest.raises(AdvtoolError, match=r"sample 'odd': has members .*\.json.*, but those before it have"):
        write_file(tmp_path / "out.tar", HEAD, mixed)
    assert make.files_below(tmp_path) == []


def test_float_and_8_bit_images_do_not_mix():
    with pytest.raises(AdvtoolError, match=r"\.npy .*\.png"):
        make.shard([make.sample("a"), make.sample("b", image=make.floats())])


def test_a_key_that_comes_again_is_refused(tmp_path):
    with pytest.raises(AdvtoolError, match="sample 'k1'"):
        write_file(tmp_path / "out.tar", HEAD, [*make.samples(3), make.sample("k1")])
    assert make.files_below(tmp_path) == []


def test_a_directory_of_shards(tmp_path):
    directory = tmp_path / "deep" / "shards"
    assert ShardDirectory(directory, "train", 3).write(HEAD, make.samples(7)) == 7
    assert make.files_below(directory) == [f"train-00000{i}.tar" for i in range(3)]
    assert [len(keys(path)) for path in shard_paths(directory, "train")] == [3, 3, 1]
    assert keys(*shard_paths(directory, "train")) == [f"k{i}" for i in range(7)]
    for path in shard_paths(directory, "train"):
        assert SampleReader([open_path(path)], "made").head == HEAD


@pytest.mark.parametrize(("n", "sizes"), [(6, [3, 3]), (1, [1]), (3, [3])])
def test_no_empty_shard_is_written_at_the_end(tmp_path, n, sizes):
    ShardDirectory(tmp_path, "train", 3).write(HEAD, iter(make.samples(n)))
    assert [len(keys(path)) for path in shard_paths(tmp_path, "train")] == sizes


def test_shards_of_the_same_name_are_replaced_and_others_stay(tmp_path):
    ShardDirectory(tmp_path, "train", 2).write(HEAD, make.samples(9))
    write_file(tmp_path / "train-000007.tar.gz", HEAD, make.samples(1))
    ShardDirectory(tmp_path, "test", 2).write(HEAD, make.samples(1))
    (tmp_path / "notes.txt").write_text("mine")
    ShardDirectory(tmp_path, "train", 2).write(HEAD, make.samples(3, prefix="new"))
    assert make.files_below(tmp_path) == ["notes.txt", "test-000000.tar", "train-000000.tar", "train-000001.tar"]
    assert keys(*shard_paths(tmp_path, "train")) == ["new0", "new1", "new2"]


@pytest.mark.parametrize("good", [0, 2, 5])
def test_a_directory_whose_source_dies_keeps_its_old_shards(tmp_path, good):
    ShardDirectory(tmp_path, "train", 2).write(HEAD, make.samples(5))
    before = {name: (tmp_path / name).read_bytes() for name in make.files_below(tmp_path)}
    with pytest.raises(AdvtoolError, match="source died"):
        ShardDirectory(tmp_path, "train", 2).write(HEAD, dying(good))
    assert {name: (tmp_path / name).read_bytes() for name in make.files_below(tmp_path)} == before


def test_a_key_may_come_again_in_another_shard(tmp_path):
    ShardDirectory(tmp_path, "train", 1).write(HEAD, [make.sample("a", 0), make.sample("a", 1)])
    assert keys(*shard_paths(tmp_path, "train")) == ["a", "a"]


def test_shard_paths_are_sorted_and_only_of_that_name(tmp_path):
    for name in ("b-000001.tar", "b-000000.tar.gz", "b-000010.tar", "a-000000.tar", "b-000002.tar.tmp", "b.tar"):
        (tmp_path / name).touch()
    assert [p.name for p in shard_paths(tmp_path, "b")] == ["b-000000.tar.gz", "b-000001.tar", "b-000010.tar"]


def test_a_full_disk_is_one_clear_error():
    with pytest.raises(AdvtoolError, match=r"^/dev/full: cannot write \(No space left on device\)$"):
        write_file("/dev/full", HEAD, make.samples(30))
