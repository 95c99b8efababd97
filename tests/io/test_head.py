import json

import pytest

from advtool.errors import AdvtoolError
from advtool.io.head import SCHEMA, Head

FULL = Head(
    classes=("nul", "één"),
    num_classes=2,
    shape=(3, 32, 32),
    split="train",
    source="made up",
    history=("advtool data", "advtool attack"),
)


def parse(**fields) -> Head:
    return Head.from_bytes(json.dumps({"schema": SCHEMA, **fields}).encode(), "made.tar")


@pytest.mark.parametrize("head", [Head(), FULL, Head(num_classes=7)])
def test_round_trip(head):
    assert Head.from_bytes(head.to_bytes(), "made.tar") == head


def test_bytes_are_sorted_json_with_a_schema():
    fields = json.loads(FULL.to_bytes())
    assert list(fields) == sorted(fields)
    assert fields["schema"] == 1
    assert fields["classes"] == ["nul", "één"]


def test_after_adds_to_the_history_and_changes_what_is_asked():
    later = FULL.after("advtool relabel", split="test")
    assert later.history == ("advtool data", "advtool attack", "advtool relabel")
    assert (later.split, later.shape) == ("test", (3, 32, 32))
    assert FULL.split == "train"


def test_unknown_fields_of_a_newer_advtool_are_passed_over():
    assert parse(num_classes=2, mood="good") == Head(num_classes=2)


def test_merged_takes_what_either_knows():
    merged = Head(num_classes=2).merged(Head(shape=(1, 8, 8), num_classes=2, classes=("a", "b")), "b.tar")
    assert merged == Head(classes=("a", "b"), num_classes=2, shape=(1, 8, 8))


def test_merged_forgets_split_and_source_that_differ():
    merged = Head(split="train", source="a").merged(Head(split="test", source="b"), "b.tar")
    assert (merged.split, merged.source) == (None, None)
    assert Head(split="train").merged(Head(split="train"), "b.tar").split == "train"


@pytest.mark.parametrize(
    ("mine", "theirs", "says"),
    [
        (Head(shape=(1, 8, 8)), Head(shape=(3, 8, 8)), "shape.*3×8×8.*1×8×8"),
        (Head(num_classes=2), Head(num_classes=3), "num_classes.* 3 .* 2"),
        (Head(classes=("a",), num_classes=1), Head(classes=("b",), num_classes=1), "classes"),
    ],
)
def test_merged_refuses_what_does_not_fit(mine, theirs, says):
    with pytest.raises(AdvtoolError, match=says) as caught:
        mine.merged(theirs, "second.tar")
    assert str(caught.value).startswith("second.tar: ")


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b"{}", b'{"schema": 99}', b'{"schema": "1"}'],
)
def test_bytes_that_are_no_head_are_refused(data):
    with pytest.raises(AdvtoolError, match=r"made\.tar: bad head member"):
        Head.from_bytes(data, "made.tar")


@pytest.mark.parametrize(
    "fields",
    [
        {"num_classes": 0},
        {"num_classes": -1},
        {"num_classes": 2.0},
        {"num_classes": "2"},
        {"num_classes": 10**12},
        {"shape": [1, 8]},
        {"shape": [1, 8, 0]},
        {"shape": [1, 8, 8.5]},
        {"shape": "abc"},
        {"shape": 8},
        {"classes": ["a", "b"]},
        {"classes": ["a"], "num_classes": 2},
        {"classes": [1, 2], "num_classes": 2},
        {"classes": "ab", "num_classes": 2},
        {"classes": {"a": 1, "b": 2}, "num_classes": 2},
        {"split": 1},
        {"split": ["train"]},
        {"source": {}},
        {"history": 5},
        {"history": "advtool data"},
        {"history": [["advtool"]]},
    ],
    ids=str,
)
def test_fields_of_the_wrong_kind_are_refused(fields):
    with pytest.raises(AdvtoolError, match=r"made\.tar: bad head member"):
        parse(**fields)
