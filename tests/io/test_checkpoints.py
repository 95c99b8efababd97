import hashlib
import json
import random
import subprocess
import sys
from contextlib import suppress

import pytest
import safetensors.torch
import shard_factory as make
import torch
from tests_support import environment

from advtool.errors import AdvtoolError
from advtool.io import checkpoints

META = {"arch": {"name": "mlp", "width": 8}, "classes": ["nul", "één"], "metrics": {"accuracy": 0.5}}


@pytest.fixture
def tensors() -> dict[str, torch.Tensor]:
    return {
        "fc.weight": torch.arange(12.0).view(3, 4),
        "fc.bias": torch.tensor([0.0, -1.0, float("nan")]),
        "bn.num_batches_tracked": torch.tensor(7),
        "half": torch.ones(2, dtype=torch.bfloat16),
    }


@pytest.fixture
def data(tensors) -> bytes:
    return checkpoints.to_bytes(tensors, META)


def read(data: bytes) -> checkpoints.CheckpointFile:
    return checkpoints.read(make.stream(data, "m.safetensors"))


def fault(data: bytes) -> str:
    with pytest.raises(AdvtoolError) as caught:
        read(data)
    return str(caught.value)


def with_metadata(metadata: dict[str, str] | None) -> bytes:
    return safetensors.torch.save({"a": torch.zeros(2)}, metadata)


def test_round_trip(tensors, data):
    file = read(data)
    assert file.meta == {"schema": 1, **META}
    assert file.path == "m.safetensors"
    assert file.sha256 == hashlib.sha256(data).hexdigest()
    assert file.tensors.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert file.tensors[name].dtype == tensor.dtype
        torch.testing.assert_close(file.tensors[name], tensor, rtol=0, atol=0, equal_nan=True)


def test_one_metadata_key_that_holds_sorted_json(data):
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert list(header["__metadata__"]) == ["advtool"]
    text = header["__metadata__"]["advtool"]
    assert text == json.dumps(json.loads(text), sort_keys=True)


def test_equal_content_gives_equal_bytes_in_any_order_and_process(tensors, data):
    backwards = dict(reversed([(name, tensor.clone()) for name, tensor in tensors.items()]))
    assert checkpoints.to_bytes(backwards, dict(reversed(META.items()))) == data
    program = (
        "import sys, torch\nfrom advtool.io.checkpoints import to_bytes\n"
        "sys.stdout.buffer.write(to_bytes({'a': torch.ones(3), 'b': torch.zeros(2)}, {'x': 1, 'y': {'p': 2, 'q': 3}}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, env=environment(PYTHONHASHSEED="1"))
    here = checkpoints.to_bytes({"a": torch.ones(3), "b": torch.zeros(2)}, {"x": 1, "y": {"p": 2, "q": 3}})
    assert done.stdout == here, done.stderr


def test_views_and_parameters_are_stored_by_value():
    weight = torch.arange(6.0).view(2, 3)
    stored = read(checkpoints.to_bytes({"t": weight.t(), "p": torch.nn.Parameter(weight.clone())}, {})).tensors
    torch.testing.assert_close(stored["t"], weight.t())
    torch.testing.assert_close(stored["p"], weight)


def test_metadata_that_is_no_json_number_is_refused_when_writing():
    with pytest.raises(ValueError, match="JSON"):
        checkpoints.to_bytes({}, {"loss": float("nan")})


def test_a_checkpoint_cut_anywhere_is_refused(data):
    for cut in range(len(data)):
        message = fault(data[:cut])
        assert message.startswith("m.safetensors: ")
        if cut > 8:
            assert "cut short" in message, cut


def test_trailing_bytes_are_refused(data):
    assert "goes on after" in fault(data + b"x")


@pytest.mark.parametrize(
    "metadata",
    [None, {"format": "pt"}, {"advtool": "nope"}, {"advtool": "[]"}, {"advtool": ""}, {"advtool": "[" * 100_000}],
    ids=["none", "foreign", "no json", "list", "empty", "deep"],
)
def test_safetensors_of_others_are_named_as_such(metadata):
    assert "not an advtool checkpoint" in fault(with_metadata(metadata))


@pytest.mark.parametrize("text", ["{}", '{"schema": 2}', '{"schema": "1"}'])
def test_another_schema_is_named(text):
    assert "this advtool reads schema 1" in fault(with_metadata({"advtool": text}))


@pytest.mark.parametrize("header", [b"{]", b"{" + b"[" * 100_000, b"{\xff\xfe}", b'{"a": '])
def test_a_header_that_is_no_json_is_named(header):
    assert "its header is not JSON" in fault(len(header).to_bytes(8, "little") + header + bytes(100))


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [2], "data_offsets": [0, 1 << 60]},
        {"dtype": "F32", "shape": [2], "data_offsets": [-8, 0]},
        {"dtype": "F32", "shape": [1 << 62], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]},
        {"dtype": "F99", "shape": [2], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [2], "data_offsets": "all"},
        {"dtype": "F32", "shape": [2]},
        "tensor",
        None,
    ],
    ids=str,
)
def test_nonsense_about_a_tensor_is_a_clear_error(entry):
    header = json.dumps({"__metadata__": {"advtool": '{"schema": 1}'}, "a": entry}).encode()
    fault(len(header).to_bytes(8, "little") + header + bytes(8))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (make.shard(make.samples(1)), "looks like a tar archive"),
        (b"PK\x03\x04" + bytes(100), "PyTorch"),
        (b"\x80\x02}q\x00." + bytes(100), "pickle"),
    ],
)
def test_what_is_no_safetensors_is_named_for_what_it_looks_like(data, says):
    message = fault(data)
    assert says in message
    assert "expected a safetensors checkpoint" in message


def test_mutated_checkpoints_raise_nothing_but_advtool_errors(data):
    rng = random.Random(0)
    for _ in range(1500):
        bad = bytearray(data)
        for _ in range(rng.choice([1, 2, 5])):
            bad[rng.randrange(rng.choice([9, len(bad)]))] = rng.randrange(256)
        with suppress(AdvtoolError):
            read(bytes(bad))


def test_reading_a_small_checkpoint_asks_for_little_memory():
    """The cap on the size of a checkpoint must not be allocated up front."""
    program = (
        "import io, resource, torch\nfrom advtool.io import checkpoints\nfrom advtool.io.streams import Stream\n"
        "data = checkpoints.to_bytes({'a': torch.zeros(3)}, {})\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + (2 << 30),) * 2)\n"
        "print(len(checkpoints.read(Stream(io.BytesIO(data), 'm')).tensors))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, env=environment(), check=False)
    assert done.stdout == b"1\n", done.stderr.decode()
