"""What fuzzing found, by target: each is an AdvtoolError or nothing, at once."""

import contextlib
import random
import time

import pytest
from hostile import mutations, targets

from advtool.errors import AdvtoolError

_BEFORE_ZIP = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
FINDS = {
    "a range of 400 digits, which would be expanded": ("pattern", b"{a,b{c,d}}-{1" + b"0" * 400 + b"..9..2}"),
    "padding of 60,000 digits": ("pattern", b"x-{" + b"0" * 60_000 + b"..99999}"),
    "a range with a line break": ("pattern", b"x-{0..99999999\n}"),
    "braces in braces": ("pattern", b"{" * 3_000 + b"}" * 3_000),
    "a pickle that names 100 kB": ("torch", _BEFORE_ZIP + b"\x80\x02c" + b"x" * 100_000 + b"\nx\n."),
    "a pickle that ends in such a name": ("torch", _BEFORE_ZIP + b"\x80\x02c" + b"x" * 100_000),
    "such a name that is no ASCII": ("torch", _BEFORE_ZIP + b"\x80\x02c" + "é".encode() * 50_000 + b"\nx\n."),
    "a separator that is stripped and no digit": ("number", b"\x1d1"),
}  # fmt: skip
SECONDS = 2.0


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    return targets.targets(tmp_path_factory.mktemp("targets"))


@pytest.mark.parametrize("name", FINDS)
def test_find(name, known):
    target, data = FINDS[name]
    start = time.monotonic()
    with contextlib.suppress(AdvtoolError):
        known[target].read(data)
    assert time.monotonic() - start < SECONDS


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["stream", "tar", "image", "npy", "head", "npz", "state", "map", "labels", "pattern"])
def test_a_little_fuzzing(name, known):
    rng = random.Random(5)
    for number in range(150):
        target = known[name]
        data = mutations.mutated(rng.choice(target.originals), rng, target.originals)
        start = time.monotonic()
        with contextlib.suppress(AdvtoolError):
            target.read(data)
        assert time.monotonic() - start < 5 * SECONDS, number
