import numpy as np
import pytest
import shard_factory as make

from advtool.data.arrays import load
from advtool.data.convert import convert
from advtool.data.inspect import verify
from advtool.data.sources import Shards, resolve
from advtool.errors import AdvtoolError
from advtool.io.head import Head
from advtool.preprocessing import Preprocessing


@pytest.fixture
def source(tmp_path):
    def write(made: list, head: Head | None = None, repeatable: bool = True) -> Shards:
        (tmp_path / "in.tar").write_bytes(make.shard(made, head))
        return Shards("in.tar", (tmp_path / "in.tar",), repeatable=repeatable)

    return write


def fault(source, **kwargs) -> str:
    with pytest.raises(AdvtoolError) as caught:
        list(convert(source, "advtool data", **kwargs).samples)
    return str(caught.value)


def written(conversion, tmp_path):
    """The source that one gets by writing a conversion."""
    path = tmp_path / "out.tar"
    path.write_bytes(make.shard(list(conversion.samples), conversion.head))
    return resolve(str(path))


def test_images_pass_byte_for_byte(source):
    made = [make.sample(f"k{i}", i, jpg=make.encode(make.pixels(i)[0], "JPEG"), json=b"{}") for i in range(3)]
    for sample in made:
        del sample.members["png"]
    converted = list(convert(source(made), "advtool data").samples)
    assert [(s.key, s.members) for s in converted] == [(s.key, s.members) for s in made]


def test_digits_come_back_the_same(tmp_path):
    source = resolve("digits", "test")
    again, images = load(written(convert(source, "advtool data digits"), tmp_path)), load(source)
    np.testing.assert_array_equal(again.pixels, images.pixels)
    np.testing.assert_array_equal(again.labels, images.labels)
    assert again.keys == images.keys
    assert again.head == images.head.after("advtool data digits")


def test_history_source_and_split_are_recorded(source):
    head = Head(num_classes=3, source="made up", split="test", history=("one",))
    found = convert(source(make.samples(2), head), "two").head
    assert (found.history, found.source, found.split) == (("one", "two"), "made up", "test")
    found = convert(source(make.samples(2)), "two").head
    assert (found.history, found.source, found.split) == (("two",), "in.tar", None)


def test_members_that_are_no_part_of_a_sample_are_left_out(source):
    with pytest.warns(UserWarning, match="passed over"):
        converted = list(convert(source([make.sample("a", txt=b"text", json=b"{}")]), "c").samples)
    assert list(converted[0].members) == ["png", "cls", "json"]


def test_classes_are_counted_where_the_head_does_not_say(source):
    made = [make.sample("a", 0), make.sample("b", 6), make.sample("c", 1)]
    head = convert(source(made), "c").head
    assert (head.num_classes, head.classes) == (7, tuple("0123456"))
    assert convert(source(made), "c", limit=1).head.num_classes == 1


def test_classes_are_not_counted_on_what_can_be_read_once(source):
    assert convert(source(make.samples(3), repeatable=False), "c").head.num_classes is None


@pytest.mark.parametrize("n", [1, 2, 9])
def test_limit(source, n):
    assert len(list(convert(source(make.samples(4)), "c", limit=n).samples)) == min(n, 4)


def test_size_scales_and_crops(source, tmp_path):
    made = source([make.sample(f"k{i}", 0, make.pixels(i, 3, side)) for i, side in enumerate((16, 8, 9))])
    conversion = convert(made, "c", preprocessing=Preprocessing(8))
    assert conversion.head.shape == (3, 8, 8)
    images = load(written(conversion, tmp_path))
    assert images.pixels.shape == (3, 3, 8, 8)
    np.testing.assert_array_equal(images.pixels[1], make.pixels(1, 3, 8))


def test_size_of_folders_in_which_the_first_image_is_grey(tmp_path):
    """Photographs come with a few grey ones among them, anywhere."""
    folder = tmp_path / "photos" / "a"
    folder.mkdir(parents=True)
    for index, (channels, side) in enumerate([(1, 16), (3, 12), (1, 9)]):
        pixels = make.pixels(index, channels, side)
        (folder / f"{index}.png").write_bytes(
            make.encode(pixels[0] if channels == 1 else pixels.transpose(1, 2, 0), "PNG")
        )
    conversion = convert(resolve(str(tmp_path / "photos")), "c", preprocessing=Preprocessing(8))
    assert conversion.head.shape == (3, 8, 8)
    assert load(written(conversion, tmp_path)).pixels.shape == (3, 3, 8, 8)


def test_a_folder_of_different_sizes_converts_as_it_is_and_verifies(tmp_path):
    make.write_classes(tmp_path / "f", {"a": 2, "b": 1})
    (tmp_path / "f" / "b" / "large.png").write_bytes(make.encode(make.pixels(side=20)[0], "PNG"))
    conversion = convert(resolve(str(tmp_path / "f")), "c")
    assert conversion.head.shape is None
    result = verify(written(conversion, tmp_path))
    assert (result.good, result.fault) == (4, None)


def test_float_images_pass_but_are_not_resized(source):
    made = source([make.sample("f", 0, make.floats())])
    assert next(convert(made, "c").samples).members["npy"] == make.sample("f", 0, make.floats()).members["npy"]
    assert "sample 'f': float images are not resized" in fault(made, preprocessing=Preprocessing(4))


def test_a_bad_label_or_a_missing_image_is_named(source):
    made = [make.sample("a"), make.sample("bad", cls=b"1.5")]
    assert "sample 'bad': label '1.5'" in fault(source(made, Head(num_classes=2)))
    made = [make.sample("bad")]
    del made[0].members["png"]
    assert "sample 'bad': no image member" in fault(source(made, Head(num_classes=2)))


def test_conversion_is_lazy(source):
    made = source([make.sample("a"), make.sample("bad", cls=b"x")], Head(num_classes=2))
    assert next(convert(made, "c").samples).key == "a"


def test_a_cut_source_raises_after_its_good_samples(source, tmp_path):
    made = source(make.samples(3), Head(num_classes=3))
    (tmp_path / "in.tar").write_bytes((tmp_path / "in.tar").read_bytes()[:5120])
    samples = convert(made, "c").samples
    assert next(samples).key == "k0"
    with pytest.raises(AdvtoolError, match="ends at byte 5120"):
        list(samples)
