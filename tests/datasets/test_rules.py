"""Rules and groupings of labels, and streams that go through them."""

import json

import numpy as np
import pytest
import shard_factory as make
from scipy import stats

from advtool.datasets import groupings
from advtool.datasets.relabelled import RelabelTally, relabel
from advtool.datasets.rules import Random, Shift
from advtool.errors import AdvtoolError, UsageError

TEN = tuple(f"class {label}" for label in range(10))
IMAGENET = tuple(f"n{label:08d}" for label in range(1000))


@pytest.mark.parametrize(("label", "by", "new"), [(0, 1, 1), (9, 1, 0), (3, -4, 9), (5, 20, 5), (0, 0, 0)])
def test_shift_wraps_around(label, by, new):
    assert Shift(TEN, by)(label, "k") == new


def test_random_labels_of_1e5_samples_are_uniform_and_independent_of_the_true_one():
    rule = Random(TEN, seed=1)
    labels = np.array([rule(index % 10, f"{index:06d}") for index in range(100_000)])
    assert stats.chisquare(np.bincount(labels, minlength=10)).pvalue > 1e-3
    table = np.zeros((10, 10))
    np.add.at(table, (np.arange(100_000) % 10, labels), 1)
    assert stats.chi2_contingency(table).pvalue > 1e-3


def test_random_labels_without_the_true_one_are_uniform_over_the_others():
    rule = Random(TEN, seed=2, exclude_true=True)
    labels = np.array([rule(3, f"{index}") for index in range(30_000)])
    counts = np.bincount(labels, minlength=10)
    assert counts[3] == 0
    assert stats.chisquare(np.delete(counts, 3)).pvalue > 1e-3


def test_random_labels_depend_on_key_and_seed_and_on_nothing_else():
    forward = [Random(TEN, 5)(0, f"k{index}") for index in range(200)]
    backward = [Random(TEN, 5)(7, f"k{index}") for index in reversed(range(200))]
    assert forward == backward[::-1]
    assert forward != [Random(TEN, 6)(0, f"k{index}") for index in range(200)]


def test_restricted_imagenet_has_nine_classes_of_the_published_ranges():
    grouping = groupings.load("restricted-imagenet", IMAGENET)
    assert grouping.classes == ("dog", "cat", "frog", "turtle", "bird", "primate", "fish", "crab", "insect")
    sizes = np.bincount(list(grouping.new_label.values())).tolist()
    assert sizes == [118, 5, 3, 5, 21, 18, 9, 4, 20]
    assert [grouping(label, "") for label in (151, 281, 30, 33, 80, 365, 389, 118, 300, 0, 150, 269)] == [
        *range(9),
        *[None] * 3,
    ]


def test_restricted_imagenet_wants_imagenet():
    with pytest.raises(UsageError, match="groups 1,000 classes, but the data has 10"):
        groupings.load("restricted-imagenet", TEN)


def test_kept_classes_are_numbered_in_the_order_asked():
    grouping = groupings.keep("7,class 5", TEN)
    assert grouping.classes == ("class 7", "class 5")
    assert [grouping(label, "") for label in (7, 5, 6)] == [0, 1, None]


@pytest.mark.parametrize(
    ("name", "text", "classes", "mapped"),
    [
        ("a.json", '{"low": ["0-4"], "high": [5, "class 6"]}', ("low", "high"), {0: 0, 4: 0, 5: 1, 6: 1, 7: None}),
        ("b.json", '{"class 3": "x", "4": "y", "5": "x", "6": null}', ("x", "y"), {3: 0, 4: 1, 5: 0, 6: None, 0: None}),
        ("c.json", '{"8": 1, "9": 0}', ("0", "1"), {8: 1, 9: 0}),
        ("d.csv", "old,new\nclass 1,a\n2,b\n3,\n", ("a", "b"), {1: 0, 2: 1, 3: None}),
        ("e.csv", "1,1\n2,0\n", ("0", "1"), {1: 1, 2: 0}),
    ],
)
def test_groupings_from_files(tmp_path, name, text, classes, mapped):
    (tmp_path / name).write_text(text)
    grouping = groupings.load(str(tmp_path / name), TEN)
    assert grouping.classes == classes
    assert {label: grouping(label, "") for label in mapped} == mapped


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"x": ["12"]}', "label 12, but the data has 10 classes"),
        ('{"x": ["clas 1"]}', "did you mean class 1"),
        ('{"x": [1], "y": [1]}', "named twice"),
        ('{"x": []}', "no members"),
        ('{"x": [5', "not JSON"),
        ('{"x": 1.5}', "expected"),
        ("{}", "maps no class"),
        ("1,2,3\n", "two columns"),
        ("", "maps no class"),
    ],
)
def test_bad_grouping_files_are_one_clear_error(tmp_path, text, says):
    (tmp_path / "map").write_text(text)
    with pytest.raises(UsageError, match=says):
        groupings.load(str(tmp_path / "map"), TEN)


@pytest.mark.parametrize("text", ["", "5,,7", "5,5", "10", "cat"])
def test_bad_lists_of_classes_are_errors(text):
    with pytest.raises(UsageError):
        groupings.keep(text, TEN)


def test_everything_but_label_and_provenance_passes_byte_for_byte():
    made = [make.sample("a", 2, txt=b"words"), make.sample("b", 9, txt=b"more")]
    tally = RelabelTally()
    out = list(relabel(made, 10, Shift(TEN, 1), tally))
    assert [sample.members["cls"] for sample in out] == [b"3", b"0"]
    for before, after in zip(made, out, strict=True):
        assert {**after.members, "cls": before.members["cls"]} == {**before.members, "json": after.members["json"]}
    assert (tally.kept, tally.changed, tally.dropped) == (2, 2, 0)


def test_the_first_label_stays_in_the_provenance():
    first = list(relabel([make.sample("a", 2, json=b'{"source": "s"}')], 10, Shift(TEN, 1), RelabelTally()))
    second = list(relabel(first, 10, Shift(TEN, 1), RelabelTally()))
    assert json.loads(second[0].members["json"]) == {"original_label": 2, "source": "s"}
    assert second[0].label == 4


def test_a_label_past_the_classes_is_an_error_that_names_the_sample():
    with pytest.raises(AdvtoolError, match="sample 'a': label 12, but there are 10 classes"):
        list(relabel([make.sample("a", 12)], 10, Shift(TEN, 1), RelabelTally()))
