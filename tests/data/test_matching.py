"""Classes are matched by name; by position only where names say nothing."""

import numpy as np
import pytest

from advtool.data.matching import CASE, NAME, POSITION, ClassMismatch, ClassNote, ClassWarning, match

KNOWN = ("ant", "bee", "cat", "dog")


@pytest.mark.parametrize(
    ("names", "known", "by", "labels"),
    [
        (KNOWN, KNOWN, NAME, None),
        (("dog", "ant", "cat", "bee"), KNOWN, NAME, (3, 0, 2, 1)),
        (("bee", "dog"), KNOWN, NAME, (1, 3)),
        (("Dog", "BEE"), KNOWN, CASE, (3, 1)),
        (("hot dog", "bee_hive"), ("bee hive", "hot-dog"), CASE, (1, 0)),
        (("w", "x", "y", "z"), KNOWN, POSITION, None),
        (("0", "1"), KNOWN, POSITION, None),
        (KNOWN, ("0", "1", "2", "3"), POSITION, None),
        (("1", "2"), ("0", "1", "2"), NAME, (1, 2)),
        (("0", "1"), ("1", "0"), NAME, (1, 0)),
        (None, KNOWN, POSITION, None),
        (None, ("0", "1"), NAME, None),
    ],
)
def test_labels_become_those_of_the_model(names, known, by, labels):
    found = match(names, known)
    assert (found.by, found.labels) == (by, labels)
    if labels:
        assert found(np.array([1, 0, 1])).tolist() == [labels[1], labels[0], labels[1]]
    else:
        assert found(np.array([1, 0, 1])).tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("names", "known", "reason"),
    [
        (("bee", "elk"), KNOWN, "class 'elk' of the images, which the model does not know"),
        (("bee", "elk", "fox"), KNOWN, "class 'elk' and 1 more"),
        (("w", "x"), KNOWN, "2 classes .w, x., the model knows 4"),
        (("w", "x", "y", "z", "q"), KNOWN, "5 classes"),
        (("0", "1", "2", "3", "4"), KNOWN, "5 classes, the model knows 4"),
        (("crane", "bee"), ("crane", "crane", "bee"), "'crane' occurs twice"),
        (("Bee", "bee"), ("bee", "ant"), "'Bee'"),
    ],
)
def test_classes_that_the_model_does_not_know_are_refused_by_name(names, known, reason):
    with pytest.raises(ClassMismatch, match=reason):
        match(names, known)


def test_more_labels_than_the_model_has_classes_are_refused_where_there_are_no_names():
    with pytest.raises(ClassMismatch, match="5 classes, the model knows 4"):
        match(None, KNOWN, 5)


def test_what_was_done_is_said():
    with pytest.warns(ClassNote, match="x.tar: 2 of the model's 4 classes by name, labels mapped"):
        match(("dog", "ant"), KNOWN).tell("x.tar")
    with pytest.warns(ClassNote, match="2 of the model's 4 classes by name, same labels"):
        match(("ant", "bee"), KNOWN).tell("x.tar")
    with pytest.warns(ClassWarning, match="classes without names, where the model knows ant, bee, cat, .* position"):
        match(None, KNOWN).tell("x.tar")
    match(KNOWN, KNOWN).tell("x.tar")
    match(("0", "1"), ("0", "1", "2")).tell("x.tar")
