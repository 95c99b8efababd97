import json

import pytest
import shard_factory as make

from advtool.data.inspect import Verification, summarize, verify
from advtool.data.sources import Shards, resolve
from advtool.errors import AdvtoolError
from advtool.io.head import Head


@pytest.fixture
def source(tmp_path):
    def write(made: list, head: Head | None = None, cut: int | None = None) -> Shards:
        (tmp_path / "in.tar").write_bytes(make.shard(made, head)[:cut])
        return Shards("in.tar", (tmp_path / "in.tar",))

    return write


def test_summary_of_the_digits():
    summary = summarize(resolve("digits", "train"))
    assert (summary.n, summary.shape, summary.num_classes) == (1437, (1, 8, 8), 10)
    assert summary.formats == {"png": 1437}
    assert sum(summary.class_counts) == 1437
    assert summary.class_counts == [142, 146, 142, 146, 145, 145, 145, 143, 139, 144]
    assert (summary.source, summary.split) == ("digits", "train")
    assert "UCI" in summary.origin
    assert summary.history == ("python shards/make_digits.py",)


def test_summary_is_json():
    report = json.loads(json.dumps(summarize(resolve("digits", "test")).to_json()))
    assert report["n"] == 360
    assert report["shape"] == [1, 8, 8]


def test_summary_without_a_head(source):
    summary = summarize(source([make.sample("a", 2), make.sample("b", 0)]))
    assert (summary.num_classes, summary.class_counts, summary.classes) == (3, [1, 0, 1], ("0", "1", "2"))


def test_classes_without_a_sample_are_counted_as_zero(source):
    assert summarize(source(make.samples(1), Head(num_classes=4))).class_counts == [1, 0, 0, 0]


def test_labels_beyond_the_classes_are_still_counted(source):
    assert summarize(source([make.sample("a", 3)], Head(num_classes=2))).class_counts == [0, 0, 0, 1]


def test_images_of_different_sizes_have_no_shape(source):
    made = [make.sample("a"), make.sample("b", image=make.pixels(side=9))]
    assert summarize(source(made)).shape is None


def test_formats_are_counted(tmp_path):
    for name, made in (("a", make.samples(2)), ("b", [make.sample("f", 0, make.floats(channels=1))])):
        make.write_shards(tmp_path, name, made)
    assert summarize(resolve(str(tmp_path))).formats == {"png": 2, "npy": 1}


@pytest.mark.parametrize("limit", [1, 3, 99])
def test_limit(source, limit):
    made = source(make.samples(5))
    assert summarize(made, limit).n == min(limit, 5)
    assert verify(made, limit).good == min(limit, 5)


def test_summary_of_a_cut_archive_is_an_error(source):
    with pytest.raises(AdvtoolError, match="ends at byte 5120"):
        summarize(source(make.samples(3), cut=5120))


def test_verify_of_good_sources(source):
    assert (verify(resolve("digits", "test")).good, verify(resolve("digits", "test")).fault) == (360, None)
    result = verify(source([make.sample("a", 0, make.floats(), json=b"{}")]))
    assert (result.good, result.fault) == (1, None)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (make.sample("bad", cls=b"x"), "label 'x' is not a non-negative integer"),
        (make.sample("bad", 9), "label 9, but there are 3 classes"),
        (make.sample("bad", png=make.sample("x").members["png"][:-20]), "corrupt png image"),
        (make.sample("bad", image=make.pixels(side=9)), "image is 1×9×9"),
        (make.sample("bad", image=make.pixels(channels=3)), "image is 3×8×8"),
    ],
    ids=["label", "class", "image", "size", "channels"],
)
def test_verify_counts_up_to_the_first_fault_and_names_it(source, bad, says):
    result = verify(source([*make.samples(3), bad, make.sample("after")], Head(num_classes=3, shape=(1, 8, 8))))
    assert result.good == 3
    assert "in.tar: sample 'bad': " in result.fault
    assert says in result.fault


def test_verify_passes_json_that_nothing_needs(source):
    made = [make.sample("a", json=b"{}"), make.sample("b", json=b"[]")]
    assert verify(source(made)) == Verification(2, None)


def test_verify_meets_faults_of_the_archive(source):
    result = verify(source(make.samples(3), cut=5120))
    assert result.good == 1
    assert "ends at byte 5120" in result.fault
    result = verify(source(make.samples(3), cut=100))
    assert result.good == 0
    assert result.fault


def test_verify_without_a_head_wants_one_size(source):
    made = [make.sample("a"), make.sample("b", image=make.pixels(side=9))]
    assert "image is 1×9×9" in verify(source(made)).fault


def test_verify_lets_sizes_differ_where_the_head_says_so(source):
    made = [make.sample("a"), make.sample("b", image=make.pixels(side=9))]
    result = verify(source(made, Head(num_classes=1)))
    assert (result.good, result.fault) == (2, None)


def test_verify_finds_samples_with_other_members(tmp_path):
    """Hugging Face's reader requires that all samples of a shard have the same ones."""
    png = make.sample("x").members["png"]
    members = [("a.png", png), ("a.cls", b"0"), ("b.png", png), ("b.cls", b"0"), ("b.json", b"{}")]
    (tmp_path / "mixed.tar").write_bytes(make.tar(members))
    result = verify(resolve(str(tmp_path / "mixed.tar")))
    assert result.good == 1
    assert "sample 'b'" in result.fault
