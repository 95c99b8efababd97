"""Hostile inputs of every kind are one line, exit 1 or 2, in bounded time and memory; nothing is left, nothing runs."""

import contextlib
import re
import shutil
import warnings

import pytest
import situations
from hostile import corpus, measured

INPUTS = corpus.inputs()
KINDS = [*dict.fromkeys(made.kind for made in INPUTS)]
_HEAVY = ("180 MB", "200 MB", "million", "GB", "3,000,000", "70 MB")


def few() -> list[corpus.Input]:
    """Two of each kind, out of its beginning and its end."""
    found = []
    for kind in KINDS:
        light = [made for made in INPUTS if made.kind == kind and not any(word in made.name for word in _HEAVY)]
        found += [light[len(light) // 3], light[-1]]
    return found


def test_there_are_many():
    assert len(INPUTS) >= 400 and len({(made.kind, made.name) for made in INPUTS}) == len(INPUTS)


@pytest.mark.parametrize("made", few(), ids=lambda made: f"{made.kind}, {made.name}")
def test_a_few_in_this_process(made, tmp_path, checkpoint):
    shutil.copy(checkpoint, tmp_path / corpus.MODEL)
    with contextlib.chdir(tmp_path):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of PyTorch, over what the corpus makes
            words = made.make()
        there = {path.name for path in tmp_path.iterdir()}
        status, out, err = situations.run(*words)
    (line,) = err.splitlines() or [""]
    assert status in (1, 2) and not out and line.startswith("advtool: error: "), ascii((status, out, err))
    assert re.search(made.says, line), line
    assert {path.name for path in tmp_path.iterdir()} == there


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore")  # of PyTorch, over what the corpus makes
def test_all_of_a_kind(kind, tmp_path, checkpoint):
    wrong = []
    for number, made in enumerate(made for made in INPUTS if made.kind == kind):
        directory = tmp_path / str(number)
        directory.mkdir()
        if found := measured.complaints(made, measured.run(made, directory, checkpoint)):
            wrong.append(f"{made.name}: {'; '.join(found)}")
        shutil.rmtree(directory)
    assert not wrong, "\n".join(wrong)
