"""Drawn shards have as many samples of each class as webdataset's own grouping finds."""

import contextlib
import json
from collections import Counter

import pytest
import shard_factory as make
from foreign_shards import Members, picture
from hypothesis import given, settings
from hypothesis import strategies as st

from advtool.data.sources import Shards, keyed
from advtool.errors import AdvtoolError
from advtool.io.keys import Keys, image_keys, label_key

EXTENSIONS = ("png", "jpg", "input.png", "seg.png", "cls", "CLS", "txt", "json", "bin")
CONTENTS = {"cls": st.sampled_from([b"0", b"1", b"2\n"]), "txt": st.just(b"words"), "json": st.just(b'{"y": 1}')}


@st.composite
def tars(draw) -> Members:
    """Members of a few samples: images, labels, masks, hidden and other members, most of them together."""
    members: Members = []
    base = draw(st.sampled_from([[], ["png", "cls"], ["input.png", "json"], ["jpg", "cls", "json"]]))
    common = list(dict.fromkeys([*base, *draw(st.lists(st.sampled_from(EXTENSIONS), min_size=2, max_size=4))]))
    for index in range(draw(st.integers(1, 4))):
        extensions = draw(st.permutations(common)) if draw(st.booleans()) else common
        key = f"{draw(st.sampled_from(['', 'd/', './']))}{index}"
        if draw(st.integers(0, 5)) == 0:
            members.append(
                (draw(st.sampled_from([".hidden", "README", "notes.md", "._0.png", "__meta__/x.png"])), b"x")
            )
        for extension in extensions:
            content = CONTENTS.get(extension.lower())
            members.append((f"{key}.{extension}", picture(index) if content is None else draw(content)))
    if draw(st.integers(0, 5)) == 0:
        members.append(members[draw(st.integers(0, len(members) - 1))])
    return members


def read_by_webdataset(path: str, image: tuple[str, ...], label: str) -> Counter | None:
    """Samples per class by webdataset's own grouping, the same keys selected; None where it fails or lacks one."""
    from webdataset.tariterators import group_by_keys, tar_file_expander

    counts: Counter[int] = Counter()
    with open(path, "rb") as file:
        try:
            for sample in group_by_keys(tar_file_expander([{"url": path, "stream": file}])):
                if not {label.partition(":")[0], *image} & set(sample):
                    continue
                next(key for key in image if key in sample)
                member, _, field = label.partition(":")
                counts[int(json.loads(sample[member])[field] if field else sample[member])] += 1
        except (KeyError, StopIteration, ValueError, RuntimeError):
            return None
    return counts


@settings(max_examples=80, deadline=None)
@given(
    members=tars(),
    image=st.sampled_from(["png", "jpg;png", "input.png", "jpg,input.png;png"]),
    label=st.sampled_from(["cls", "json:y"]),
)
@pytest.mark.filterwarnings("ignore::advtool.io.samples.ShardWarning", "ignore::advtool.io.samples.LeftOut")
def test_the_count_of_each_class_is_that_of_webdataset(members, image, label, tmp_path_factory):
    path = tmp_path_factory.mktemp("drawn") / "set.tar"
    path.write_bytes(make.tar(members))
    theirs = read_by_webdataset(str(path), image_keys(image), label_key(label))
    source = keyed(Shards("set.tar", (path,)), Keys(image_keys(image), label_key(label)))
    ours: Counter[int] | None = None
    with contextlib.suppress(AdvtoolError), source.open() as reader:
        ours = Counter(sample.label for sample in reader)
    assert ours is None or theirs is None or ours == theirs
