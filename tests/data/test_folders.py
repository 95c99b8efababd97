import numpy as np
import pytest
import shard_factory as make

from advtool.data.arrays import load
from advtool.data.layouts import resolve
from advtool.data.tree import LeftOutWarning
from advtool.errors import AdvtoolError, UsageError


def source(directory, split=None, default="train"):
    return resolve("made", directory, split, default)


def test_labels_follow_the_sorted_folder_names_as_in_torchvision(tmp_path):
    from torchvision.datasets import ImageFolder

    make.write_classes(tmp_path, {"zebra": 2, "Ant": 2, "bee": 1, "10": 1, "9": 1})
    reference = ImageFolder(str(tmp_path))
    reader = source(tmp_path).open()
    assert reader.head.classes == tuple(reference.classes)
    assert reader.head.num_classes == 5
    labels = {path: label for path, label in reference.samples}
    for sample in reader:
        assert sample.label == labels[str(tmp_path / f"{sample.key}.png")]


def test_files_pass_byte_for_byte(tmp_path):
    make.write_classes(tmp_path, {"a": 2, "b": 2}, kind="jpg")
    for sample in source(tmp_path).open():
        assert sample.members["jpg"] == (tmp_path / f"{sample.key}.jpg").read_bytes()


def test_classes_are_interleaved(tmp_path):
    make.write_classes(tmp_path, {"a": 3, "b": 1, "c": 2})
    assert [sample.key for sample in source(tmp_path).open()] == ["a/0", "b/0", "c/0", "a/1", "c/1", "a/2"]


def test_head_knows_shape_classes_split_and_source(tmp_path):
    make.write_classes(tmp_path / "train", {"a": 1, "b": 1})
    head = source(tmp_path).open().head
    assert (head.shape, head.classes, head.split, head.source) == ((1, 8, 8), ("a", "b"), "train", "made")


def test_images_of_different_sizes_have_no_shape(tmp_path):
    make.write_classes(tmp_path, {"a": 1, "b": 1})
    (tmp_path / "b" / "large.png").write_bytes(make.encode(make.pixels(side=9)[0], "PNG"))
    assert source(tmp_path).open().head.shape is None


def test_one_colour_image_makes_the_shape_colour(tmp_path):
    make.write_classes(tmp_path, {"a": 1, "b": 1})
    colour = make.pixels(3, channels=3)
    (tmp_path / "b" / "colour.png").write_bytes(make.encode(colour.transpose(1, 2, 0), "PNG"))
    assert source(tmp_path).open().head.shape == (3, 8, 8)
    images = load(source(tmp_path))
    assert images.pixels.shape == (3, 3, 8, 8)
    np.testing.assert_array_equal(images.pixels[images.keys.index("b/colour")], colour)


def test_bytes_of_mixed_formats_pass_under_the_extension_of_the_commonest(tmp_path):
    make.write_classes(tmp_path, {"a": 1})
    make.write_classes(tmp_path, {"b": 2}, kind="webp")
    samples = list(source(tmp_path).open())
    assert [list(sample.members) for sample in samples] == [["webp", "cls"]] * 3
    assert samples[0].members["webp"] == (tmp_path / "a" / "0.png").read_bytes()
    np.testing.assert_array_equal(samples[0].pixels(), make.pixels(0))


def test_the_commonest_format_is_that_of_the_content(tmp_path):
    make.write_classes(tmp_path, {"a": 2, "b": 1})
    for path in tmp_path.rglob("*.png"):
        path.rename(path.with_suffix(".JPEG"))
    assert {sample.extension for sample in source(tmp_path).open()} == {"png"}


def test_upper_case_and_jpeg_are_known(tmp_path):
    make.write_classes(tmp_path, {"a": 2, "b": 1}, kind="jpg")
    (tmp_path / "a" / "0.jpg").rename(tmp_path / "a" / "n01440764_1.JPEG")
    (tmp_path / "b" / "0.jpg").rename(tmp_path / "b" / "x.JPG")
    found = list(source(tmp_path).open())
    assert [(s.key, s.extension) for s in found] == [("a/1", "jpg"), ("b/x", "jpg"), ("a/n01440764_1", "jpg")]


def test_images_lie_at_any_depth_and_other_files_are_passed_over(tmp_path):
    make.write_classes(tmp_path / "a", {"deep": 2})
    make.write_classes(tmp_path, {"b": 1, ".git": 3})
    (tmp_path / "b" / "notes.txt").write_text("text")
    (tmp_path / "loose.png").write_bytes(b"in no class")
    with pytest.warns(
        LeftOutWarning, match=r"1 file is no image: 1 \.txt; 1 image lies in no class folder \(loose.png"
    ):
        reader = source(tmp_path).open()
    assert reader.head.classes == ("a", "b")
    assert [sample.key for sample in reader] == ["a/deep/0", "b/0", "a/deep/1"]


def test_keys_come_back_from_a_shard(tmp_path):
    """A dot in a file or folder name must not cut the key short."""
    make.write_classes(tmp_path, {"v1.0": 1, "b": 1})
    (tmp_path / "b" / "0.png").rename(tmp_path / "b" / "photo.of.2024.png")
    found = list(source(tmp_path).open())
    assert [s.key for s in make.read(make.shard(found))] == [s.key for s in found]


@pytest.mark.parametrize(
    ("first", "second"), [("img.png", "img.webp"), ("img.a.png", "img_a.png")], ids=["two formats", "dots"]
)
def test_keys_are_unique(tmp_path, first, second):
    make.write_classes(tmp_path, {"a": 1})
    for index, name in enumerate((first, second)):
        (tmp_path / "a" / name).write_bytes(make.encode(make.pixels(index)[0], name.rpartition(".")[2].upper()))
    keys = [sample.key for sample in source(tmp_path).open()]
    assert len(set(keys)) == len(keys) == 3


@pytest.mark.parametrize("folder", ["test", "val", "validation"])
def test_names_of_the_test_split(tmp_path, folder):
    make.write_classes(tmp_path / "train", {"a": 3, "b": 1})
    make.write_classes(tmp_path / folder, {"a": 1, "b": 1})
    test = source(tmp_path, "test")
    assert (test.split, test.directory.name, test.splits) == ("test", folder, ("train", "test"))
    assert source(tmp_path).directory.name == "train"
    assert source(tmp_path, None, "test").directory.name == folder


def test_test_goes_before_val(tmp_path):
    for folder in ("train", "val", "test"):
        make.write_classes(tmp_path / folder, {"a": 1})
    assert source(tmp_path, "test").directory.name == "test"


def test_a_missing_split_says_which_there_are(tmp_path):
    make.write_classes(tmp_path / "val", {"a": 1})
    with pytest.raises(UsageError, match=r"has no split 'train' \(has test\)"):
        source(tmp_path)


def test_a_class_without_an_image_is_named(tmp_path):
    make.write_classes(tmp_path, {"a": 1})
    (tmp_path / "b").mkdir()
    with pytest.raises(AdvtoolError, match="b: class folder without an image"):
        source(tmp_path).open()


def test_a_corrupt_image_is_named(tmp_path):
    make.write_classes(tmp_path, {"a": 1, "b": 1})
    (tmp_path / "b" / "0.png").write_bytes(b"no image")
    with pytest.raises(AdvtoolError, match="b/0.png: corrupt image: looks like plain text"):
        load(source(tmp_path))


def test_a_sample_of_imagenet(shared_data):
    directory = shared_data / "imagenet-sample"
    if not directory.is_dir():
        pytest.skip("no imagenet-sample here")
    reader = source(directory).open()
    assert reader.head.num_classes == 1000
    first = next(iter(reader))
    assert first.key.startswith(reader.head.classes[0])
    assert min(first.shape()[1:]) == 144
