"""Images are resized as torchvision's and timm's own evaluation resizes them, to the bit."""

import numpy as np
import pytest
import shard_factory as make
from PIL import Image
from torchvision import transforms
from torchvision.transforms import InterpolationMode

from advtool.data.arrays import load
from advtool.data.beginning import PreprocessingNote, begin
from advtool.data.sources import resolve
from advtool.errors import AdvtoolError
from advtool.io.head import Head
from advtool.io.readers import SampleReader
from advtool.preprocessing import INTERPOLATIONS, Preprocessing

SIZES = [(37, 53), (53, 37), (40, 40), (256, 300), (31, 200), (224, 224), (33, 32)]


def picture(height: int, width: int, channels: int = 3) -> np.ndarray:
    """A smooth image with some noise, uint8 C×H×W."""
    rng = np.random.default_rng(height * 1000 + width)
    y, x = np.mgrid[:height, :width]
    smooth = [127 + 100 * np.sin(x / (3 + c) + y / (5 + 2 * c)) for c in range(channels)]
    return (np.stack(smooth) + rng.integers(-25, 25, (channels, height, width))).clip(0, 255).astype(np.uint8)


def as_image(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0))


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_are_those_of_torchvisions_transforms(interpolation, channels):
    for resize, crop in [(32, 28), (30, 30), (256, 224), (232, 224), (37, 32), (9, 8), (47, 42)]:
        theirs = transforms.Compose(
            [
                transforms.Resize(resize, InterpolationMode(interpolation)),
                transforms.CenterCrop(crop),
                transforms.PILToTensor(),
            ]
        )
        ours = Preprocessing(crop, crop / resize, interpolation)
        for height, width in SIZES:
            pixels = picture(height, width, channels)
            wanted = theirs(as_image(pixels)).numpy()
            assert np.array_equal(ours(pixels), wanted), (resize, crop, pixels.shape)


@pytest.mark.parametrize("crop_mode", ["center", "squash"])
def test_pixels_are_those_of_timms_transforms(crop_mode):
    data = pytest.importorskip("timm.data")
    for size, crop_pct, interpolation in [(24, 0.875, "bicubic"), (32, 0.95, "bilinear"), (40, 1.0, "bicubic")]:
        theirs = data.create_transform(
            (3, size, size), crop_pct=crop_pct, interpolation=interpolation, crop_mode=crop_mode, normalize=False
        )
        ours = Preprocessing(size, crop_pct, interpolation, crop_mode)
        for height, width in SIZES:
            pixels = picture(height, width)
            assert np.array_equal(ours(pixels), np.asarray(theirs(as_image(pixels)))), (size, crop_pct, pixels.shape)


def test_an_image_that_would_become_huge_is_refused():
    with pytest.raises(AdvtoolError, match="20000×2 would be scaled to more than"):
        Preprocessing(224)(np.zeros((1, 2, 20_000), np.uint8))


def test_float_images_are_refused():
    with pytest.raises(AdvtoolError, match="float images are not resized"):
        Preprocessing(4)(make.floats())


def reader(*shapes: tuple[int, int], head: Head | None = None) -> SampleReader:
    made = [make.sample(f"k{n}", n, picture(*shape)) for n, shape in enumerate(shapes)]
    return SampleReader([make.stream(make.shard(made, head))], "made.tar")


def test_images_of_the_models_size_stay_unless_a_size_is_asked_for():
    said = Preprocessing(8, 0.5, unless=(3, 8, 8))
    with pytest.warns(PreprocessingNote, match="8×8 pixels of the model"):
        assert begin(reader((8, 8), (8, 8)), said).preprocessing is None
    assert begin(reader((8, 8), (9, 8)), said).preprocessing == said
    assert begin(reader((16, 16), (16, 16)), said).shape == (3, 8, 8)
    assert begin(reader((8, 8)), Preprocessing(8, 0.5)).preprocessing == Preprocessing(8, 0.5)
    with pytest.warns(PreprocessingNote):
        assert begin(reader((8, 8), head=Head(shape=(3, 8, 8))), said).preprocessing is None


def test_arrays_are_resized_like_samples(tmp_path):
    pixels = np.stack([picture(20, 24), picture(20, 24)[:, ::-1]])
    np.savez(tmp_path / "a.npz", x=pixels, y=[0, 1])
    made = [make.sample(f"k{n}", n, image) for n, image in enumerate(pixels)]
    (tmp_path / "a.tar").write_bytes(make.shard(made))
    wanted = Preprocessing(8, 0.8, "bilinear")
    arrays, samples = (load(resolve(str(tmp_path / name)), preprocessing=wanted) for name in ("a.npz", "a.tar"))
    assert arrays.head.shape == (3, 8, 8) and arrays.preprocessing == samples.preprocessing == wanted
    assert np.array_equal(arrays.pixels, samples.pixels) and np.array_equal(arrays.pixels[0], wanted(pixels[0]))


@pytest.mark.parametrize(
    "said",
    [
        *({"size": size} for size in (0, -1, 1.5, True, "8", None, 10**9)),
        *({"size": 8, "crop_pct": part} for part in (0, 1.1, float("nan"), "1", None)),
        {"size": 8, "interpolation": "box"},
        {"size": 8, "crop_mode": "border"},
        {},
        [8],
        "8",
    ],
)
def test_what_a_checkpoint_says_is_checked(said):
    with pytest.raises((TypeError, ValueError)):
        Preprocessing.from_json(said, (3, 8, 8))


def test_what_a_checkpoint_says_goes_there_and_back():
    made = Preprocessing(8, 0.9, "lanczos", "squash", (1, 8, 8))
    assert Preprocessing.from_json(made.to_json(), (1, 8, 8)) == made
    assert Preprocessing.from_json(None, (1, 8, 8)) is None
