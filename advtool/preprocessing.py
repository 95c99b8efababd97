"""Images of any size made those that a model takes, as torchvision and timm do it for evaluation."""

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from advtool.errors import AdvtoolError

if TYPE_CHECKING:
    import numpy as np

INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos")
CROP_MODES = ("center", "squash")
MAX_PIXELS = 64_000_000


@dataclass(frozen=True)
class Preprocessing:
    """Scale the shorter side to size / crop_pct, antialiased, and cut out the centre square of `size` pixels.

    torchvision's ``Resize`` and ``CenterCrop`` on Pillow images, and timm's evaluation: 256 and 224 pixels are size 224
    and crop_pct 0.875.

    Attributes
    ----------
    size : side of the square, in pixels
    crop_pct : part of the shorter side that the square takes, in (0, 1]
    interpolation : one of `INTERPOLATIONS`
    crop_mode : ``center``, or ``squash``, which scales both sides to size / crop_pct
    unless : images that all have this shape stay as they are; None to resize all
    """

    size: int
    crop_pct: float = 1.0
    interpolation: str = "bicubic"
    crop_mode: str = "center"
    unless: tuple[int, int, int] | None = None

    def __call__(self, pixels: "np.ndarray") -> "np.ndarray":
        """uint8 C×H×W to uint8 C×size×size; AdvtoolError for float images, which are perturbed to the pixel."""
        import numpy as np
        from PIL import Image

        if pixels.dtype != np.uint8:
            raise AdvtoolError("float images are not resized")
        image = Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0))
        width, height = self._scaled(image.width, image.height)
        if width * height > MAX_PIXELS:
            raise AdvtoolError(
                f"image of {image.width}×{image.height} would be scaled to more than {MAX_PIXELS} pixels"
            )
        if (width, height) != image.size:
            image = image.resize((width, height), Image.Resampling[self.interpolation.upper()])
        left, upper = round((width - self.size) / 2), round((height - self.size) / 2)
        made = np.asarray(image.crop((left, upper, left + self.size, upper + self.size)))
        return made[None] if made.ndim == 2 else np.ascontiguousarray(made.transpose(2, 0, 1))

    def _scaled(self, width: int, height: int) -> tuple[int, int]:
        side = int(self.size / self.crop_pct + 1e-6)
        if self.crop_mode == "squash":
            return side, side
        return (side, int(side * height / width)) if width <= height else (int(side * width / height), side)

    def shape(self, channels: int) -> tuple[int, int, int]:
        """Of the images that it makes."""
        return channels, self.size, self.size

    def to_json(self) -> dict[str, Any]:
        """What checkpoints and reports say."""
        return {name: value for name, value in asdict(self).items() if name != "unless"}

    @classmethod
    def from_json(cls, said: Any, shape: tuple[int, int, int]) -> "Preprocessing | None":
        """What a checkpoint says of images for a model of that shape; TypeError, ValueError, OverflowError if amiss."""
        if said is None:
            return None
        known = {field.name: said[field.name] for field in fields(cls) if field.name in said}
        made = cls(**known | {"unless": shape})
        sizes = type(made.size) is int and made.size >= 1 and 0 < made.crop_pct <= 1
        if not sizes or (made.size / made.crop_pct) ** 2 > MAX_PIXELS:
            raise ValueError("preprocessing needs a size in pixels and a crop_pct in (0, 1]")
        if made.interpolation not in INTERPOLATIONS or made.crop_mode not in CROP_MODES:
            raise ValueError(f"unknown preprocessing {made.interpolation}, {made.crop_mode}")
        return made
