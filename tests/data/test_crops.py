"""Images of any size: random-resized crops in training, centre crops elsewhere."""

import numpy as np
import pytest
import shard_factory as make
import torch
from PIL import Image

from advtool.data.arrays import load
from advtool.data.crops import _box, random_resized_crop
from advtool.data.sources import resolve
from advtool.data.streamed import StreamBatches
from advtool.errors import AdvtoolError, UsageError
from advtool.preprocessing import Preprocessing
from advtool.training.options import Training
from advtool.training.run import TrainingRun
from advtool.training.setup import read_training_data

CPU = torch.device("cpu")


@pytest.fixture
def folders(tmp_path):
    """Three classes of photographs of differing sizes, one of them grey, in train and test."""
    rng = np.random.default_rng(0)
    for split, each in (("train", 5), ("test", 2)):
        for label, name in enumerate("abc"):
            (tmp_path / split / name).mkdir(parents=True)
            for index in range(each):
                height, width = 20 + 3 * index, 40 - 2 * label
                colour = np.zeros((height, width, 3), np.uint8)
                colour[..., label] = rng.integers(150, 256, (height, width))
                image = Image.fromarray(colour).convert("L" if (label, index) == (0, 0) else "RGB")
                image.save(tmp_path / split / name / f"{index}.jpg")
    return str(tmp_path)


def test_boxes_have_the_areas_and_ratios_of_torchvision():
    rng = np.random.default_rng(0)
    boxes = np.array([_box((200, 300), rng) for _ in range(4000)])
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    assert (boxes[:, :2] >= 0).all() and (boxes[:, 2] <= 300).all() and (boxes[:, 3] <= 200).all()
    area, ratio = width * height / 60_000, width / height
    assert 0.075 < area.min() < 0.1 and area.max() <= 1 and 0.73 < ratio.min() < 0.77 and 1.31 < ratio.max() < 1.36
    torch.manual_seed(0)
    from torchvision.transforms import RandomResizedCrop

    blank = torch.zeros(3, 200, 300)
    theirs = np.array([RandomResizedCrop.get_params(blank, (0.08, 1), (3 / 4, 4 / 3)) for _ in range(4000)])
    for mine, other in ((height, theirs[:, 2]), (width, theirs[:, 3]), (boxes[:, 0], theirs[:, 1])):
        assert abs(mine.mean() - other.mean()) < 4 * np.hypot(mine.std(), other.std()) / 4000**0.5


def test_extreme_shapes_fall_back_to_the_largest_centred_box():
    rng = np.random.default_rng(0)
    for shape in ((1, 1000), (1000, 1), (1, 1)):
        left, upper, right, lower = _box(shape, rng)
        assert 0 <= left < right <= shape[1] and 0 <= upper < lower <= shape[0]


def test_a_crop_depends_on_key_and_seed_only():
    pixels = make.pixels(0, channels=3, side=50)
    first = random_resized_crop(pixels, 16, "k", 1)
    assert first.shape == (3, 16, 16) and first.dtype == np.uint8
    np.testing.assert_array_equal(first, random_resized_crop(pixels, 16, "k", 1))
    assert (first != random_resized_crop(pixels, 16, "k", 2)).any()
    assert (first != random_resized_crop(pixels, 16, "other", 1)).any()
    assert random_resized_crop(make.pixels(0, side=9), 4, "k", 0).shape == (1, 4, 4)


def epoch(data, number: int = 0, workers: int = 2):
    batches = data.batches(4, 0, CPU, workers)
    parts = list(batches.epoch(number))
    return torch.cat([x for x, _, _ in parts]), torch.cat([y for _, y, _ in parts]), torch.cat([i for _, _, i in parts])


def test_class_folders_of_any_size_are_streamed_in_random_crops(folders):
    data = read_training_data(resolve(folders), None, 1e9, size=16, random_crop=True)
    assert data.streamed and data.n == 15 and data.head.shape == (3, 16, 16) and data.head.num_classes == 3
    x, y, ids = epoch(data)
    assert x.shape == (15, 3, 16, 16) and len(set(ids.tolist())) == 15 and sorted(y.tolist()) == sorted([0, 1, 2] * 5)
    colours = x.mean((2, 3))
    bright = colours[:, 0] - colours[:, 1] > 0.2
    assert (y[bright] == 0).all() and bright.sum() == 4  # the fifth of class a is grey
    again = epoch(data, workers=1)
    assert torch.equal(x, again[0]) and torch.equal(ids, again[2])
    later = epoch(data, 1)
    assert not torch.equal(ids, later[2])
    assert not torch.equal(x[ids.argsort()], later[0][later[2].argsort()])


def test_a_limit_takes_the_first_images(folders):
    data = read_training_data(resolve(folders), 6, 1e9, size=16, random_crop=True)
    assert data.n == 6
    _, y, ids = epoch(data)
    assert sorted(y.tolist()) == [0, 0, 1, 1, 2, 2] and len(set(ids.tolist())) == 6


def test_without_random_crops_the_centre_is_kept_in_memory(folders):
    images = load(resolve(folders, "test"), preprocessing=Preprocessing(12))
    assert images.pixels.shape == (6, 3, 12, 12)
    data = read_training_data(resolve(folders), None, 1e9, size=12)
    assert not data.streamed and data.images.pixels.shape == (15, 3, 12, 12)
    streamed = StreamBatches(resolve(folders), data.head, 4, 0, CPU, size=12)
    x = torch.cat([x for x, _, _ in streamed.epoch(0)])
    mine, theirs = (255 * x).round().byte().numpy(), data.images.pixels
    assert sorted(map(bytes, mine)) == sorted(map(bytes, theirs))


def test_without_a_size_the_way_out_is_named(folders):
    with pytest.raises(AdvtoolError, match="--size"):
        load(resolve(folders))


def test_a_run_on_class_folders(folders):
    wishes = Training(arch="linear", size=16, epochs=2, batch_size=4)
    run = TrainingRun(resolve(folders), wishes, CPU)
    assert run.config.augment == "rrc+flip" and run.resolved()["data"]["size"] == 16
    run.fit()
    report = run.test(load(resolve(folders, "test"), preprocessing=Preprocessing(16)))
    assert report["clean"]["n"] == 6 and run.model.spec.shape == (3, 16, 16)


def test_kinds_of_augmentation_with_a_size(folders):
    def run(**settings):
        return TrainingRun(resolve(folders), Training(arch="linear", size=16, **settings), CPU)

    assert run().data.streamed and run(augment="rrc").data.streamed
    assert not run(augment="none").data.streamed
    with pytest.raises(UsageError, match="needs a size"):
        Training(augment="rrc").validate()


def test_a_file_that_is_no_image_is_named(folders, tmp_path):
    (tmp_path / "train" / "b" / "1.jpg").write_bytes(b"\xff\xd8\xff broken")
    with pytest.raises(AdvtoolError, match="b/1.jpg: corrupt jpg image"):
        epoch(read_training_data(resolve(folders), None, 1e9, size=16, random_crop=True))


def test_float_images_are_not_resized(tmp_path):
    make.write_shards(tmp_path, "train", [make.sample("k", 0, make.floats())])
    with pytest.raises(AdvtoolError, match="float images are not resized"):
        load(resolve(str(tmp_path)), preprocessing=Preprocessing(4))
