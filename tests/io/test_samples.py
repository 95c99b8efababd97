import warnings

import pytest
import shard_factory as make
from webdataset.tariterators import base_plus_ext

from advtool.errors import AdvtoolError
from advtool.io.head import NAME, Head
from advtool.io.readers import SampleReader
from advtool.io.samples import Sample, ShardWarning, split_name

PNG = make.sample("any").members["png"]


def fault(data: bytes) -> str:
    with pytest.raises(AdvtoolError) as caught:
        for each in make.read(data):
            _ = each.pixels(), each.label, each.provenance()
    return str(caught.value)


def pair(key: str, label: bytes = b"1") -> list[tuple[str, bytes]]:
    return [(f"{key}.png", PNG), (f"{key}.cls", label)]


def labelled(text: bytes) -> Sample:
    return Sample("k", {"png": PNG, "cls": text}, "made.tar")


def test_samples_are_grouped_with_label_pixels_and_provenance():
    made = [make.sample(f"d/k{i}", i, json=b'{"norm": 0.5}') for i in range(3)]
    found = make.read(make.shard(made))
    assert [(s.key, s.label, s.members) for s in found] == [(s.key, s.label, s.members) for s in made]
    assert (found[2].pixels() == make.pixels(2)).all()
    assert found[0].provenance() == {"norm": 0.5}
    assert found[0].shape() == (1, 8, 8)
    assert found[0].shard == "made.tar"


@pytest.mark.parametrize(("text", "label"), [(b"0", 0), (b"7\n", 7), (b" 42 ", 42), (b"007", 7), (b"999999", 999_999)])
def test_labels_that_are_integers(text, label):
    assert labelled(text).label == label


@pytest.mark.parametrize(
    "text",
    [b" 3x", b"-1", b"", b" ", b"1e3", b"1.0", b"+3", b"1_000", b"0x1", b"\xb2", b"\x00", b"3 4", b"9" * 5000]
    + [text.encode() for text in ("²", "٣", "３")],
)
def test_labels_that_are_no_plain_integers_are_refused(text):
    with pytest.raises(AdvtoolError, match=r"made.tar: sample 'k': label .* is not a non-negative integer"):
        _ = labelled(text).label


def test_an_absurd_label_is_refused():
    """Class names are made up to the largest label, so that one label must not fill the memory."""
    with pytest.raises(AdvtoolError, match="label"):
        _ = labelled(b"999999999").label


def test_a_missing_label_is_named():
    assert fault(make.tar([("a.png", PNG)])) == "made.tar: sample 'a': no label: no .cls member, has member png"


def test_a_missing_image_is_named():
    assert "sample 'a': no image member" in fault(make.tar([("a.cls", b"1")]))


def test_a_corrupt_image_is_named():
    assert "sample 'b': corrupt png image" in fault(make.tar([*pair("a"), ("b.png", PNG[:-9]), ("b.cls", b"1")]))


@pytest.mark.parametrize("text", [b"[1]", b"{", b"", b"\xff", b"[" * 100_000])
def test_provenance_that_is_no_json_object_is_named_where_it_is_needed(text):
    (sample,) = make.read(make.tar([*pair("a"), ("a.json", text)]))
    assert sample.facts() is None
    assert "sample 'a': its .json member is not a JSON object" in fault(make.tar([*pair("a"), ("a.json", text)]))


@pytest.mark.parametrize("keys", [["a", "b", "a"], ["a", "b", "c", "b"]], ids=["over one sample", "of a later sample"])
def test_a_key_that_comes_again_is_refused(keys):
    message = fault(make.tar([member for key in keys for member in pair(key)]))
    assert "duplicate key" in message
    assert f"sample '{keys[-1]}'" in message


def test_two_adjacent_samples_of_one_key_are_refused():
    assert "sample 'a'" in fault(make.tar([*pair("a"), *pair("a")]))


@pytest.mark.parametrize("second", ["a.cls", "a.CLS"])
def test_two_members_of_one_extension_are_refused(second):
    message = fault(make.tar([*pair("a"), (second, b"2")]))
    assert "sample 'a': two .cls members" in message


def test_the_same_key_in_two_archives_is_two_samples():
    data = make.tar(pair("a", b"1")) + make.tar(pair("a", b"2"))
    assert [(s.key, s.label) for s in make.read(data)] == [("a", 1), ("a", 2)]


def test_archive_boundaries_end_a_sample():
    message = fault(make.tar([("a.png", PNG)]) + make.tar([("a.cls", b"2")]))
    assert message.startswith("made.tar: sample 'a': its members do not lie together (.cls ")


def test_extensions_are_lower_cased():
    assert list(make.read(make.tar([("A.PNG", PNG), ("A.Cls", b"1")]))[0].members) == ["png", "cls"]


@pytest.mark.parametrize(
    "name",
    [
        "a.png",
        "a.b.png",
        "x/a.png",
        "x.y/a.png",
        "x.y/z/a.tar.gz",
        "./a.png",
        "a/.png",
        "d/.hidden.png",
        "ü.png",
        "/abs.png",
        "../up.png",
        "a..png",
        "x//y.png",
        "x.y/.png",
        ".png",
        "noext",
        "x.y/noext",
        "trailing/",
    ],
)
def test_names_split_as_webdataset_splits_them(name):
    key, extension = split_name(name)
    assert ((key, extension) if key and extension else (None, None)) == base_plus_ext(name)


def test_members_without_key_or_extension_are_passed_over():
    found = make.read(make.tar([("README", b"hello"), (".hidden", b"x"), *pair("a"), ("x.y/LICENSE", b"text")]))
    assert [(s.key, sorted(s.members)) for s in found] == [("a", ["cls", "png"])]


def test_unknown_extensions_give_one_warning_and_stay_in_the_sample():
    members = [m for key in "abc" for m in [*pair(key), (f"{key}.txt", b"text"), (f"{key}.seg.png", PNG)]]
    with pytest.warns(ShardWarning) as caught:
        found = make.read(make.tar(members))
    assert len(caught) == 1
    assert "made.tar" in str(caught[0].message)
    assert ".txt" in str(caught[0].message)
    assert found[2].members["txt"] == b"text"
    assert found[2].extension == "png"


def test_known_extensions_give_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make.read(make.shard(make.samples(2, json=b"{}")))


@pytest.mark.parametrize("extension", ["pyd", "pkl", "pth", "pickle"])
def test_pickles_are_never_decoded(extension):
    bomb = b"cbuiltins\nexec\n(S'raise SystemExit(99)'\ntR."
    with pytest.warns(ShardWarning):
        found = make.read(make.tar([*pair("a"), (f"a.{extension}", bomb)]))
    assert found[0].members[extension] == bomb
    assert found[0].label == 1


@pytest.mark.parametrize("data", [bytes(1024), bytes(10240), make.tar([("README", b"text")]), make.shard([])])
def test_an_archive_without_samples_is_an_error(data):
    with pytest.raises(AdvtoolError, match=r"made\.tar: no samples"):
        make.read(data)


def test_each_head_of_concatenated_archives_is_taken():
    first = Head(shape=(1, 8, 8), split="train", history=("one",))
    second = Head(num_classes=3, split="test", history=("two",))
    reader = SampleReader([make.stream(make.shard(make.samples(2), first) + make.shard(make.samples(2), second))], "s")
    assert reader.head == first
    assert len(list(reader)) == 4
    assert reader.head == Head(num_classes=3, shape=(1, 8, 8), history=("one",))


def test_heads_that_contradict_one_another_are_refused():
    data = make.shard(make.samples(2), Head(num_classes=3)) + make.shard(make.samples(2), Head(num_classes=4))
    assert "made.tar: num_classes 4" in fault(data)


def test_heads_of_several_streams_are_merged():
    parts = [make.stream(make.shard(make.samples(1), Head(split=split)), f"{split}.tar") for split in ("train", "test")]
    reader = SampleReader(parts, "both")
    assert [s.shard for s in reader] == ["train.tar", "test.tar"]
    assert reader.head.split is None


def test_a_head_after_samples_is_an_error_with_the_byte_offset():
    head = (NAME, Head().to_bytes())
    assert "byte 2048: head member after samples" in fault(make.tar([*pair("a"), head, *pair("b")]))


def test_reading_is_lazy():
    """A fault far down a stream is met only when the samples before it are taken."""
    reader = SampleReader([make.stream(make.shard(make.samples(3))[:5000])], "s")
    assert next(iter(reader)).key == "k0"
