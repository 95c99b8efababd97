"""What ``advtool relabel`` does once its options are read."""

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace

from advtool.cli import console, output
from advtool.cli.relabel import Relabel
from advtool.commands.shard_output import shard_destination
from advtool.data import classes as class_counts
from advtool.data.watching import watched
from advtool.datasets.relabelled import Relabelled, RelabelTally, relabel
from advtool.datasets.rules import RULES
from advtool.errors import AdvtoolError
from advtool.io.head import LabelledHead
from advtool.io.samples import Sample, ShardWarning
from advtool.io.stored import stored


def run(options: Relabel) -> None:
    """Relabel a stream."""
    # Members of other kinds are passed on, not passed over.
    warnings.simplefilter("ignore", ShardWarning)
    source = options.open()
    target = shard_destination(options, source, "relabelled", worker=options.worker())
    reader = source.open()
    head = class_counts.declared(reader.head, source, options.limit, options.classes)
    samples, tally = watched("relabelling", reader, reader, options.limit), RelabelTally()
    if options.predict is None:
        relabelled = _ruled(options, head, samples, tally)
    else:
        from advtool.commands.predictions import predicted  # torch, which the rules do without

        relabelled = predicted(options, head, samples, source.name, tally)
    record = {"command": "relabel", "classes": list(head.classes), **relabelled.record}
    if options.dry_run:
        made = {"source": source.name, "output": target.name, "new_classes": list(relabelled.classes)}
        resolved = replace(options, data=options.data or source.name, split=source.split, classes=head.num_classes)
        output.print_json({"schema": 1, **record, **made, **resolved.resolved()})
        return
    after = head.after(
        options.history(),
        record,
        classes=relabelled.classes,
        num_classes=len(relabelled.classes),
        split=head.split or source.split,
        source=head.source or source.name,
    )
    stream = _at_least_one(stored(relabelled.samples), source.name)
    if options.shard_count is None:
        target.write(after, stream)
        written, described = {}, tally.describe()
    else:  # a worker reads all labels, since some rules drop samples, and writes its own
        written = {"written": target.write(after, target.todo(after, stream))}
        described = f"{written['written']:,} samples"
    console.say(f"wrote {described} to {target.name}")
    if options.json:
        console.account({**record, "data": source.name, "output": target.name, **asdict(tally), **written})


def _ruled(options: Relabel, head: LabelledHead, samples: Iterable[Sample], tally: RelabelTally) -> Relabelled:
    """By a rule over the labels."""
    (name,) = (name for name in RULES if getattr(options, name) not in (None, False))
    way = RULES[name]
    more = {taken: getattr(options, taken) for taken in way.takes}
    rule = way.rule(getattr(options, name), head.classes, **more)
    return Relabelled(rule.classes, rule.describe(), relabel(samples, head.num_classes, rule, tally))


def _at_least_one(samples: Iterable[Sample], name: str) -> Iterator[Sample]:
    """The samples; an error if there is none."""
    empty = True
    for sample in samples:
        empty = False
        yield sample
    if empty:
        raise AdvtoolError(f"{name}: no sample is left")
