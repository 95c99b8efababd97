"""Samples with other labels: images and all other members pass as they are, byte for byte."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from advtool.datasets.rules import Rule
from advtool.io.samples import Sample


class Relabelled(NamedTuple):
    """Class names, what the head records of the rule, and the samples."""

    classes: tuple[str, ...]
    record: dict
    samples: Iterable[Sample]


@dataclass
class RelabelTally:
    """Counts of what was done."""

    kept: int = 0
    changed: int = 0
    dropped: int = 0

    def describe(self) -> str:
        if self.dropped:
            return f"{self.kept:,} samples, dropped {self.dropped:,} of other classes"
        return f"{self.kept:,} samples, {self.changed:,} with another label"


def relabel(
    samples: Iterable[Sample], num_classes: int, rule: Rule, tally: RelabelTally | None = None
) -> Iterator[Sample]:
    """Give each sample of a stream the label that the rule says, in constant memory.

    Parameters
    ----------
    num_classes : of the labels that come in
    tally : is added up as the stream goes on

    Raises
    ------
    AdvtoolError
        naming the sample, if its label is not below `num_classes`
    """
    tally = RelabelTally() if tally is None else tally
    for sample in samples:
        label = sample.label
        if label >= num_classes:
            raise sample.fault(f"label {label}, but there are {num_classes} classes")
        new = rule(label, sample.key)
        if new is None:
            tally.dropped += 1
            continue
        tally.kept += 1
        tally.changed += new != label
        yield relabelled(sample, new)


def relabelled(sample: Sample, label: int) -> Sample:
    """The sample with this label; its ``.json`` member keeps the first label that it had as ``original_label``."""
    provenance = {"original_label": sample.label, **sample.provenance()}
    text = json.dumps(provenance, sort_keys=True)
    members = {**sample.members, "cls": str(label).encode(), "json": text.encode()}
    return replace(sample, members=members)
