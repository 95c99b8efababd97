import numpy as np
import pytest
import torch
from torchvision.transforms import functional

from advtool import keyed
from advtool.data.augment import PADDING, augment
from advtool.data.colour_jitter import jitter, rotate
from advtool.training.optimisation import AUGMENTATIONS

N = 40
IDS = keyed.ids_of(f"k{i}" for i in range(N))


def pictures(n: int = N, channels: int = 3, height: int = 10, width: int = 7) -> torch.Tensor:
    return torch.rand(n, channels, height, width, generator=torch.Generator().manual_seed(0)) + 0.1


def shifted(image: np.ndarray, down: int, right: int) -> np.ndarray:
    """The image as seen through a window moved by so many pixels, black where there is no image."""
    out = np.zeros_like(image)
    _, height, width = image.shape
    for row in range(height):
        for column in range(width):
            if 0 <= row + down < height and 0 <= column + right < width:
                out[:, row, column] = image[:, row + down, column + right]
    return out


def reference(x: torch.Tensor, ids: torch.Tensor, seed: int, kind: str) -> np.ndarray:
    draws = keyed.uniform((len(x), 3), ids, seed).tolist()
    out = []
    for image, (vertical, horizontal, coin) in zip(x.numpy(), draws, strict=True):
        if "crop" in kind:
            image = shifted(image, int(vertical * 9) - 4, int(horizontal * 9) - 4)
        if "flip" in kind and coin < 0.5:
            image = image[:, :, ::-1]
        out.append(image)
    return np.stack(out)


@pytest.mark.parametrize("kind", [kind for kind in AUGMENTATIONS if "jitter" not in kind])
@pytest.mark.parametrize("channels", [1, 3])
def test_equals_a_loop_over_images_and_pixels(kind, channels):
    x = pictures(channels=channels)
    np.testing.assert_array_equal(augment(x, IDS, 5, kind), reference(x, IDS, 5, kind))


@pytest.mark.parametrize("kind", AUGMENTATIONS)
def test_the_input_stays_as_it_was(kind):
    x = pictures()
    before = x.clone()
    augment(x, IDS, 5, kind)
    assert torch.equal(x, before)


def test_none_does_nothing():
    assert torch.equal(augment(pictures(), IDS, 5, "none"), pictures())


@pytest.mark.parametrize("channels", [1, 3])
def test_jitter_is_torchvisions_in_a_fixed_order(channels):
    x, draws = pictures(channels=channels).clamp(0, 1), torch.rand(N, 3, generator=torch.Generator().manual_seed(2))
    expected = []
    for image, (brightness, contrast, saturation) in zip(x, (0.75 + 0.5 * draws).tolist(), strict=True):
        image = functional.adjust_contrast(functional.adjust_brightness(image, brightness), contrast)
        expected.append(functional.adjust_saturation(image, saturation))
    torch.testing.assert_close(jitter(x, draws), torch.stack(expected), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (40, 24)])
def test_rotation_is_torchvisions(height, width):
    x = pictures(height=height, width=width)
    draws = torch.rand(N, generator=torch.Generator().manual_seed(3))
    angles = (4 * draws - 2).tolist()
    expected = torch.stack([functional.rotate(image, angle) for image, angle in zip(x, angles, strict=True)])
    assert (rotate(x, draws) == expected).float().mean() > 0.995  # where two pixels are as near, either will do
    assert torch.equal(rotate(x, torch.full((N,), 0.5)), x)


@pytest.mark.parametrize("kind", ["crop", "flip", "crop+flip", "crop+flip+jitter+rotate"])
def test_an_image_does_not_depend_on_its_batch(kind):
    x = pictures()
    whole = augment(x, IDS, 5, kind)
    order = torch.randperm(N, generator=torch.Generator().manual_seed(1))
    assert torch.equal(augment(x[order], IDS[order], 5, kind), whole[order])
    for i in range(0, N, 7):
        assert torch.equal(augment(x[i : i + 1], IDS[i : i + 1], 5, kind)[0], whole[i])


@pytest.mark.parametrize(("kind", "least"), [("crop", 20), ("flip", 2), ("crop+flip", 20)])
def test_images_of_a_batch_get_different_draws(kind, least):
    x = pictures(1).expand(N, -1, -1, -1)
    assert len(augment(x, IDS, 5, kind).unique(dim=0)) >= least


@pytest.mark.parametrize("kind", ["crop", "flip", "crop+flip"])
def test_the_seed_changes_the_draws(kind):
    x = pictures()
    assert not torch.equal(augment(x, IDS, 5, kind), augment(x, IDS, 6, kind))
    assert torch.equal(augment(x, IDS, 5, kind), augment(x, IDS, 5, kind))


def test_every_shift_and_both_sides_come_equally_often():
    n = 16_200
    side = 2 * PADDING + 1
    point = torch.zeros(n, 1, side, side)
    point[:, 0, PADDING, PADDING] = 1
    ids = torch.arange(n)
    places = augment(point, ids, 0, "crop").flatten(1)
    assert (places.sum(1) == 1).all()
    counts = places.sum(0)
    expected = n / side**2
    assert len(counts) == 81
    assert (counts - expected).abs().max() < 5 * expected**0.5
    corner = torch.zeros(n, 1, 2, 2)
    corner[:, 0, 0, 0] = 1
    mirrored = float(augment(corner, ids, 0, "flip")[:, 0, 0, 1].mean())
    assert abs(mirrored - 0.5) < 5 * 0.5 / n**0.5


def test_an_image_smaller_than_the_padding():
    x = pictures(height=3, width=2)
    np.testing.assert_array_equal(augment(x, IDS, 5, "crop+flip"), reference(x, IDS, 5, "crop+flip"))
