"""The adjacent members ``KEY.EXT`` of tars, as samples of one image and one label each."""

import itertools
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from advtool import bounds
from advtool.errors import AdvtoolError
from advtool.io import head as head_module
from advtool.io.class_names import Numbering
from advtool.io.head import Head
from advtool.io.hidden import is_hidden
from advtool.io.keys import LABEL, NO_KEYS, Keys, is_image
from advtool.io.samples import KNOWN_EXTENSIONS, LeftOut, Sample, ShardWarning, split_name
from advtool.io.selection import Lacking, check_label, image_of, label_of, shown
from advtool.io.tar import Member

_PACKED = "unpack all into an empty folder DIR and pack by name: `tar --sort=name -cf NEW.tar -C DIR .`"


@dataclass
class _Archive:
    """What is known of one tar: keys of samples so far, and those whose members are part of no sample."""

    place: tuple[str, int]
    samples: set[int] = field(default_factory=set)
    aside: dict[str, list[str]] = field(default_factory=dict)


class Grouping:
    """Groups members by key, and gives each group the form that keys ask for: KEY.png or the like, and KEY.cls.

    Members of a key that has neither image nor label are passed over with a warning.

    Parameters
    ----------
    on_head : is called with each head and the name of its stream
    head : what the heads said so far
    warns : whether it says what is passed over
    """

    def __init__(
        self,
        members: Iterator[Member],
        keys: Keys,
        numbering: Numbering,
        on_head: Callable[[Head, str], None],
        head: Callable[[], Head],
        warns: bool = True,
    ):
        self._members, self._keys, self._numbering = members, keys, numbering
        self._on_head, self._head = on_head, head
        self._archive = _Archive(("", -1))
        self._sample: Sample | None = None
        self._bytes = 0
        self._warns, self._warned = warns, set[str]()
        self._passed_over: dict[str, None] = {}

    def __iter__(self) -> Iterator[Sample]:
        """The samples; AdvtoolError for the first that is none."""
        for member in self._members:
            if (member.stream, member.archive) != self._archive.place:
                yield from self._ended([member])
                self._leave()
                self._archive = _Archive((member.stream, member.archive))
            if member.name == head_module.NAME:
                if self._sample:
                    raise AdvtoolError(f"{member.stream}: byte {member.offset}: head member after samples")
                self._on_head(Head.from_bytes(member.data, member.stream), member.stream)
                continue
            key, extension = split_name(member.name)
            if not key or is_hidden(member.name):
                continue
            if self._sample is None or key != self._sample.key:
                yield from self._ended([member])
                self._sample, self._bytes = Sample(key, {}, member.stream), 0
            if extension in self._sample.members:
                raise self._sample.fault(f"two .{extension} members")
            self._sample.members[extension] = member.data
            self._check_size(self._sample, len(member.data))
        yield from self._ended([])
        self._leave()

    def described(self) -> str:
        """What there was instead of samples."""
        return f", only {shown(self._passed_over)}" if self._passed_over else ""

    def _check_size(self, sample: Sample, more: int) -> None:
        """Refuse a sample that would fill the memory, whose members are all read before it is known what they are."""
        self._bytes += more
        if self._bytes > bounds.MEMBER_BYTES:
            raise sample.fault(f"members of more than {bounds.mib(bounds.MEMBER_BYTES)} in all")
        if len(sample.members) > bounds.SAMPLE_MEMBERS:
            raise sample.fault(f"more than {bounds.SAMPLE_MEMBERS:,} members")

    def _ended(self, coming: list[Member]) -> Iterator[Sample]:
        """The sample whose last member was read; `coming` comes after it."""
        found, self._sample, archive = self._sample, None, self._archive
        if found is None:
            return
        again = hash(found.key) in archive.samples
        try:
            made = self._selected(found)
        except Lacking as lacking:
            if again:
                raise _apart(found, f"{_named(found.members)} after other samples") from None
            if self._is_no_sample(found):
                if len(archive.aside) < bounds.ASIDE:
                    archive.aside[found.key] = list(found.members)
                return
            raise _located(found, itertools.chain(coming, self._members), lacking) from None
        if again:
            raise found.fault("duplicate key")
        if before := archive.aside.get(found.key):
            raise _apart(found, f"{_named(before)} before other samples")
        archive.samples.add(hash(found.key))
        yield made

    def _selected(self, found: Sample) -> Sample:
        image = image_of(found, self._keys)
        check_label(found, self._keys)
        if self._keys == NO_KEYS:
            self._warn_of(found, {image})
            return found
        members = dict(found.members)
        data = members.pop(image)
        others = [name for name in KNOWN_EXTENSIONS.intersection(members) if is_image(name)]
        if others:
            text = f"{found.shard}: {_named(others)} left out, since .{image} is the image"
            self._warn("images", text, LeftOut)
        kept = {name: value for name, value in members.items() if name not in others}
        members = {image.rpartition(".")[2]: data} | kept
        if self._keys.label is not None:
            label = self._numbering(label_of(found, self._keys), found, self._head())
            members[LABEL] = str(label).encode()
        self._warn_of(found, {image, self._keys.label_member, *others})
        return Sample(found.key, members, found.shard)

    def _is_no_sample(self, found: Sample) -> bool:
        """Whether nothing of it is an image or a label."""
        return self._keys.label_member not in found.members and not any(map(is_image, found.members))

    def _leave(self) -> None:
        """Say at the end of an archive what in it was no part of a sample."""
        for key, extensions in self._archive.aside.items():
            if len(self._passed_over) < bounds.SAMPLE_MEMBERS:
                self._passed_over |= dict.fromkeys(extensions)
            text = f"{self._archive.place[0]}: '{key}': {shown(extensions)} passed over, no image or label"
            self._warn("members", text, LeftOut)

    def _warn_of(self, found: Sample, used: set[str]) -> None:
        """Say once that members of other kinds are passed over."""
        other = next((name for name in found.members if name not in KNOWN_EXTENSIONS | used), None)
        if other:
            self._warn("others", f"{found.shard}: members with extension .{other} are passed over", ShardWarning)

    def _warn(self, topic: str, text: str, kind: type[UserWarning]) -> None:
        if self._warns and topic not in self._warned:
            self._warned.add(topic)
            warnings.warn(text, kind, stacklevel=1)


def _located(sample: Sample, rest: Iterable[Member], lacking: Lacking) -> AdvtoolError:
    """The fault of a sample that lacks something: that it comes later or lies elsewhere, if that is so."""
    name = sample.key.rpartition("/")[2]
    elsewhere: str | None = None
    for member in rest:
        key, extension = split_name(member.name)
        if key == sample.key:
            place = f"in {member.stream}" if member.stream != sample.shard else "after other samples"
            return _apart(sample, f".{extension} {place}")
        if elsewhere is None and key.rpartition("/")[2] == name and key and not is_hidden(member.name):
            elsewhere = member.name
    if elsewhere:
        return AdvtoolError(f"{lacking} ('{elsewhere}' has its name, but lies in another folder: move it beside it)")
    return lacking


def _apart(sample: Sample, where: str) -> AdvtoolError:
    return sample.fault(f"its members do not lie together ({where}); {_PACKED}")


def _named(extensions: Iterable[str]) -> str:
    return " ".join(f".{extension}" for extension in sorted(extensions))
