"""What is bounded still reads what is meant to be read, as before."""

import gzip
import io
import os
import re
import subprocess
import tarfile
import time
from pathlib import Path

import pytest
import shard_factory as make
import torch
from braceexpand import braceexpand
from hypothesis import given
from hypothesis import strategies as st

from advtool import bounds
from advtool.data import braces
from advtool.errors import AdvtoolError, UsageError, unknown
from advtool.io import checkpoints, regular, states
from advtool.io.pax import check
from advtool.io.samples import split_name
from advtool.io.streams import Stream, open_path
from advtool.models import limits
from advtool.models.classifier import ModelSpec
from advtool.models.fitting import check_size, plan
from advtool.models.registry import Unfit, build, check_runs

_AS_BEFORE = re.compile(r"((?:.*/|)[^.]+)[.]([^/]+)", re.DOTALL)
CLASSES = ("a", "b")


def spec(arch: str, shape=(3, 32, 32), **args) -> ModelSpec:
    return ModelSpec(arch, CLASSES, shape, (0.0,) * shape[0], (1.0,) * shape[0], args)


@given(st.text("ab./_\n", max_size=12))
def test_names_of_members_are_split_as_the_expression_of_webdataset_does(name):
    match = None if re.match(r"__[^/]*__/", name) else _AS_BEFORE.fullmatch(name)
    assert split_name(name) == ((match[1], match[2].lower()) if match else ("", ""))


@given(st.dictionaries(st.text("abé.", min_size=1), st.text(min_size=0), max_size=5))
def test_pax_headers_that_tarfile_writes_are_well_formed(records):
    info = tarfile.TarInfo("x")
    info.pax_headers = records
    data = info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
    if len(data) > 512:
        check(data[512 : 512 + int(data[124:135], 8)])


@given(st.text("ab,{}.0129-\\", max_size=20))
def test_names_of_a_pattern_are_counted_as_they_are_expanded(pattern):
    try:
        expected = len(list(braceexpand(pattern)))
    except (ValueError, IndexError):
        expected = None
    try:
        assert len(braces.expanded(pattern)) == expected
    except UsageError:
        assert expected is None or re.match(r"[^{]*}", re.sub(r"\\.", "", pattern)) or "}{" in pattern
        return
    assert braces._count(pattern) >= expected


def test_a_gzipped_checkpoint_of_noise_is_read():
    noise = {"w": torch.randn(300, 1000)}
    data = gzip.compress(checkpoints.to_bytes(noise, {"a": 1}))
    assert torch.equal(checkpoints.read(Stream(io.BytesIO(data), "f")).tensors["w"], noise["w"])


def test_what_is_small_may_be_all_zeros():
    data = gzip.compress(checkpoints.to_bytes({"w": torch.zeros(1 << 20)}, {"a": 1}))
    assert len(data) < 1 << 14 and checkpoints.read(Stream(io.BytesIO(data), "f")).tensors["w"].sum() == 0


def test_tensors_that_share_their_numbers_are_read():
    weight = torch.randn(1000, 10)
    states.check({"": {"a": weight, "b": weight, "c": weight.t(), "d": weight[1:]}}, "f")
    with pytest.raises(AdvtoolError, match="'b' is expanded"):
        states.check({"": {"b": torch.zeros(1).expand(10_000_000)}}, "f")


@pytest.mark.parametrize("arch", ["wrn-28-10", "wrn-99994-64", "dm-wrn-99994-64", "mlp", "vgg19"])
def test_an_architecture_is_measured_without_its_memory(arch):
    args = {"hidden": (900_000,) * 2} if arch == "mlp" else {"width": 20.0} if arch == "vgg19" else {}
    start = time.monotonic()
    with pytest.raises(limits.TooLarge):
        check_size(spec(arch, **args), {"w": torch.zeros(10)})
    assert time.monotonic() - start < 10


def test_nothing_is_left_of_the_limits():
    with pytest.raises(limits.TooLarge):
        plan(spec("wrn-99994-64"))
    assert len(list(torch.nn.Sequential(*(torch.nn.ReLU() for _ in range(bounds.LAYERS + 1))))) > bounds.LAYERS


@pytest.mark.parametrize(("arch", "side"), [("vit_b_16", 8), ("vit_b_16", 40), ("swin_t", 1), ("alexnet", 8)])
def test_a_shape_that_is_not_taken_is_a_usage_error(arch, side):
    with pytest.raises(UsageError, match=arch):
        check_runs(build(spec(arch, (3, side, side))))


def test_a_network_that_cannot_be_is_told_from_one_that_is_too_large():
    with pytest.raises(Unfit):
        build(spec("vit_b_16", (3, 8, 8)))


def test_long_names_are_not_compared_with_all_others():
    start = time.monotonic()
    unknown("class", "x" * 1_000_000, [f"class {n}" for n in range(100_000)])
    unknown("class", "class x", [f"class {n}" for n in range(1_000_000)])
    assert time.monotonic() - start < 3


def test_a_record_of_samples_may_go_to_a_pipe_that_is_read(tmp_path, advtool, checkpoint):
    os.mkfifo(tmp_path / "p")
    with subprocess.Popen(["cat", tmp_path / "p"], stdout=subprocess.PIPE) as reader:
        time.sleep(0.3)  # until it waits for who writes
        words = ["--data", "digits", "-n", "3", "--adv", "l2", "--eps", "0.1", "--steps", "1", "--per-sample", "p"]
        done = advtool("eval", "--ckpt", checkpoint, *words)
        out, _ = reader.communicate(timeout=20)
    assert done.returncode == 0, done.stderr
    assert len(out.splitlines()) == 4


def test_files_are_read_up_to_their_bound(tmp_path):
    path = Path(tmp_path / "f")
    path.write_bytes(b"x" * 100)
    assert regular.read(path, 100) == b"x" * 100
    with pytest.raises(AdvtoolError, match="100 bytes, more than 99 bytes"):
        regular.read(path, 99)
    with pytest.raises(AdvtoolError, match="a folder"):
        open_path(tmp_path, regular=True)


def test_a_tar_keeps_its_padding():
    assert len(make.read(make.shard(make.samples(2)) + bytes(1 << 20))) == 2
