"""Streams of samples as batches, and what the makers of datasets do with them."""

import subprocess
import sys
from dataclasses import fields
from types import SimpleNamespace

import numpy as np
import pytest
import shard_factory as make
import torch
from torch import nn

from advtool import datasets, keyed
from advtool.data.arrays import SampleChecker
from advtool.datasets import Random, RelabelTally, Shift, predicted_samples, relabel
from advtool.datasets.batches import sample_batches
from advtool.datasets.rules import RULES
from advtool.device import Settings, float64
from advtool.errors import AdvtoolError
from advtool.io.head import Head

CPU = torch.device("cpu")


def test_batches_hold_the_samples_in_their_order():
    made = make.samples(7)
    batches = list(sample_batches(iter(made), SampleChecker(Head()), Settings(CPU, 3)))
    assert [len(batch) for batch in batches] == [3, 3, 1]
    assert [key for batch in batches for key in batch.keys] == [sample.key for sample in made]
    assert torch.cat([batch.labels for batch in batches]).tolist() == [sample.label for sample in made]
    pixels = np.stack([sample.pixels() for sample in made])
    assert torch.equal(torch.cat([batch.pixels for batch in batches]), torch.from_numpy(pixels))
    assert torch.equal(torch.cat([batch.inputs for batch in batches]), torch.from_numpy(pixels).float() / 255)
    assert torch.equal(torch.cat([batch.ids for batch in batches]), keyed.ids_of(sample.key for sample in made))


def test_a_stream_is_read_no_further_than_a_batch():
    read = []

    def samples():
        for sample in make.samples(7):
            read.append(sample.key)
            yield sample

    next(sample_batches(samples(), SampleChecker(Head()), Settings(CPU, 3)))
    assert len(read) == 3


def test_a_sample_that_does_not_fit_is_named():
    with pytest.raises(AdvtoolError, match="but the head says 1×9×9"):
        next(sample_batches(make.samples(2), SampleChecker(Head(shape=(1, 9, 9))), Settings(CPU, 3)))


def test_predicted_labels_are_those_of_the_largest_logit_whatever_the_batch():
    torch.manual_seed(0)
    model, made = nn.Sequential(nn.Flatten(), nn.Linear(64, 5)), make.samples(9)
    x = torch.from_numpy(np.stack([sample.pixels() for sample in made])).float() / 255
    expected = model(x).argmax(1).tolist()
    for size in (2, 100):
        tally = RelabelTally()
        found = list(predicted_samples(made, SampleChecker(Head()), model, Settings(CPU, size), tally))
        assert [sample.label for sample in found] == expected
        changed = sum(new != sample.label for new, sample in zip(expected, made, strict=True))
        assert (tally.kept, tally.changed, tally.dropped) == (9, changed, 0)


def test_a_tally_may_be_left_out():
    (sample,) = relabel([make.sample("a", 2)], 10, Shift(tuple("0123456789"), 3))
    assert sample.label == 5


def test_all_that_is_exported_is_there_and_rules_need_no_torch():
    assert all(getattr(datasets, name) for name in datasets.__all__)
    assert callable(datasets.relabel) and "relabel" in datasets.__all__
    text = "import sys, advtool.datasets.rules; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", text], capture_output=True, check=False).stderr == b""


def test_the_table_of_rules_says_what_they_take():
    assert RULES["random"].takes == {field.name for field in fields(Random)} - {"classes"}
    assert not any(RULES[name].takes for name in ("shift", "map", "keep"))


def test_no_float64_on_a_device_that_has_none():
    x = torch.ones(2)
    assert float64(x).dtype == torch.float64
    apple = SimpleNamespace(device=SimpleNamespace(type="mps"), cpu=lambda: x)
    assert float64(apple).dtype == torch.float64
