"""What is counted of drawn trees and tars, against torchvision and webdataset."""

from collections import Counter
from pathlib import Path

import pytest
import shard_factory as make
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from situations import run
from webdataset.tariterators import group_by_keys, tar_file_expander

from advtool.data.sources import resolve

KINDS = {"jpg": "JPEG", "jpeg": "JPEG", "png": "PNG", "bmp": "BMP", "tif": "TIFF"}


def encoded(kind: str) -> bytes:
    return make.encode(make.pixels(1, 3).transpose(1, 2, 0), KINDS[kind])


def by_webdataset(path: Path) -> list[dict]:
    with open(path, "rb") as file:
        return list(group_by_keys(tar_file_expander([{"url": str(path), "stream": file}])))


NAMES = [
    "1.png",
    "2.JPG",
    "3.bmp",
    "4.txt",
    ".5.png",
    "Thumbs.db",
    "deep/6.tif",
    "deep/.x/7.png",
    "__MACOSX/8.png",
    "9",
]
FILES = st.lists(st.sampled_from(NAMES), min_size=1, max_size=6, unique=True)


@given(
    st.dictionaries(st.sampled_from(["a", "B", "c 1", "train", ".hid"]), FILES, min_size=1, max_size=4), st.booleans()
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.filterwarnings("ignore::advtool.data.tree.LeftOutWarning")
def test_class_counts_are_those_of_torchvision(tmp_path_factory, classes, linked):
    from torchvision.datasets import ImageFolder

    directory = tmp_path_factory.mktemp("drawn")
    for name, files in classes.items():
        for file in files:
            path = directory / "d" / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            kind = path.suffix[1:].lower()
            path.write_bytes(encoded(kind) if kind in KINDS else b"text")
    if linked:  # a folder of one more image, behind a link
        (directory / "real").mkdir()
        (directory / "real" / "10.png").write_bytes(encoded("png"))
        for name in classes:
            (directory / "d" / name / "linked").symlink_to(directory / "real")
    try:
        reference = ImageFolder(str(directory / "d"))
        theirs = Counter(
            reference.classes[label] for path, label in reference.samples if not _is_left_behind(path, directory)
        )
    except FileNotFoundError:
        return
    status, _, err = run("data", directory / "d", "--info")
    visible = [name for name in classes if not name.startswith(".")]
    if len(theirs) < len(visible) or not theirs:
        # Its images are all hidden ones, which torchvision counts.
        assert status != 0
        return
    if visible == ["train"] or "a split or a class" in err:
        # A folder called train, alone or with folders only in it, is a split; beside class folders that is not clear.
        return
    assert status == 0, err
    reader = resolve(str(directory / "d")).open()
    ours = Counter(reader.head.classes[sample.label] for sample in reader)
    assert ours == theirs


def _is_left_behind(path: str, directory: Path) -> bool:
    parts = Path(path).relative_to(directory).parts
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)


@given(
    st.lists(
        st.sampled_from(["a/1.png", "2.jpg", "b.c/3.jpeg", "._4.png", "x/.y/5.png", "__MACOSX/6.png"]),
        min_size=1,
        unique=True,
    )
)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_keys_of_a_tar_are_those_of_webdataset(tmp_path_factory, names):
    path = tmp_path_factory.mktemp("drawn") / "s.tar"
    members = [
        m
        for name in names
        for m in ((name, encoded(name.rpartition(".")[2])), (f"{name.rpartition('.')[0]}.cls", b"1"))
    ]
    path.write_bytes(make.tar(members))
    theirs = [sample["__key__"] for sample in by_webdataset(path)]
    # webdataset reads what macOS and notebooks leave behind; it is no data.
    theirs = [key for key in theirs if not _is_left_behind(f"/{key}", Path("/"))]
    if not theirs:
        return
    assert [sample.key for sample in resolve(str(path)).open()] == theirs
