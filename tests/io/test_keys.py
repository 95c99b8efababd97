"""Keys as they are typed, and labels that they find."""

import pytest
import shard_factory as make

from advtool.errors import AdvtoolError, UsageError
from advtool.io.keys import NO_KEYS, Keys, image_keys, label_key
from advtool.io.readers import SampleReader
from advtool.io.samples import ShardWarning

PNG = make.sample("any").members["png"]


@pytest.mark.parametrize(
    ("given", "keys"),
    [
        ("jpg", ("jpg",)),
        ("jpg;png;jpeg;webp", ("jpg", "png", "jpeg", "webp")),
        (" .JPG, input.png", ("jpg", "input.png")),
        ("npy", ("npy",)),
    ],
)
def test_image_keys(given, keys):
    assert image_keys(given) == keys


@pytest.mark.parametrize("given", ["", ";", "jpg;", "exe", "jpg png", "a/b.png", "json:x", ".", "png."])
def test_what_is_no_image_key_is_refused(given):
    with pytest.raises(UsageError) as caught:
        image_keys(given)
    assert caught.value.parameter == "image_key"


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ("cls", "cls"),
        (".TXT", "txt"),
        ("json:Label", "json:Label"),
        ("meta.json:a.b", "meta.json:a.b"),
        ("json", "json"),
    ],
)
def test_label_keys(given, key):
    assert label_key(given) == key


@pytest.mark.parametrize("given", ["", "json:", "cls:x", "png", "seg.jpg", "cls;txt", "a b", ":x", "a/cls"])
def test_what_is_no_label_key_is_refused(given):
    with pytest.raises(UsageError) as caught:
        label_key(given)
    assert caught.value.parameter == "label_key"


def read(members: list[tuple[str, bytes]], keys: Keys, names=None):
    reader = SampleReader([make.stream(make.tar(members))], "made.tar", keys, names)
    return reader, list(reader)


def test_members_of_other_kinds_stay_beside_image_and_label():
    members = [("a.input.png", PNG), ("a.seg.png", b"mask"), ("a.txt", b"2\n")]
    with pytest.warns(ShardWarning):
        _, (sample,) = read(members, Keys(("input.png",), "txt"))
    assert sample.members == {"png": PNG, "seg.png": b"mask", "txt": b"2\n", "cls": b"2"}


def test_without_keys_members_are_as_they_were():
    _, (sample,) = read([("a.png", PNG), ("a.cls", b" 2\n")], NO_KEYS)
    assert sample.members == {"png": PNG, "cls": b" 2\n"}


@pytest.mark.parametrize(
    ("text", "label"), [(b"007", 7), (b"\xef\xbb\xbf3\r\n", 3), (b"999999", 999_999), (b"0000000000000001", 1)]
)
def test_labels_that_are_numbers(text, label):
    assert read([("a.png", PNG), ("a.label", text)], Keys(label="label"))[1][0].label == label


@pytest.mark.parametrize("text", ["٣", "³", "dog", "n01440764"])
def test_labels_that_are_names(text):
    reader, (sample,) = read([("a.png", PNG), ("a.txt", text.encode())], Keys(label="txt"), lambda: ("a", text))
    assert (sample.label, reader.head.classes, reader.head.num_classes) == (1, ("a", text), 2)


@pytest.mark.parametrize(
    ("text", "says"),
    [(b"\xff", "not text"), (b"", "empty"), (b"-3", "non-negative"), (b"1.5", "non-negative"), (b"1000000", "999999")],
)
def test_labels_that_are_neither_are_refused(text, says):
    with pytest.raises(AdvtoolError, match=rf"made.tar: sample 'a': .*{says}"):
        read([("a.png", PNG), ("a.txt", text)], Keys(label="txt"))


@pytest.mark.parametrize("text", [b"{", b"", b"[" * 100_000, b'{"y": ' + b"9" * 5000 + b"}"])
def test_broken_json_is_refused_where_the_label_is_in_it(text):
    with pytest.raises(AdvtoolError, match=r"sample 'a': its .json member is not JSON"):
        read([("a.png", PNG), ("a.json", text)], Keys(label="json:y"))
