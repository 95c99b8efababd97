"""Which architecture a file of weights is of, where names and shapes decide it."""

import re
from collections.abc import Iterator

from torch import Tensor

from advtool.io.shape import Shape
from advtool.models import preact
from advtool.models.deepmind import is_deepmind
from advtool.models.fitting import Fit, fit_to
from advtool.models.wide import is_wide_resnet

SHAPES: tuple[Shape, ...] = ((3, 32, 32), (1, 28, 28), (3, 224, 224), (1, 8, 8))
_RESNETS: dict[tuple[int, ...], tuple[str, ...]] = {  # by the units of their stages
    (2, 2, 2, 2): ("resnet18", "preactresnet18", "preactresnet18-v2"),
    (3, 4, 6, 3): (
        *("resnet34", "resnet50", "resnext50_32x4d", "wide_resnet50_2"),
        *("preactresnet34", "preactresnet34-v2"),
    ),
    (3, 4, 23, 3): ("resnet101", "resnext101_32x8d", "resnext101_64x4d", "wide_resnet101_2"),
    (3, 8, 36, 3): ("resnet152",),
}
_UNIT = re.compile(r"(?:.*\.)?layer([1-4])\.([0-9]+)\.conv1\.weight")
_FAMILIES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"layer_0\.0\.conv_2d_1\.weight", ("dm-preactresnet18", "dm-preactresnet34")),
    (r"features\.denseblock1\..*", ("densenet121", "densenet161", "densenet169", "densenet201")),
    (r"features\.0\.weight", tuple(f"vgg{depth}{norm}" for depth in (11, 13, 16, 19) for norm in ("", "_bn"))),
    (r"inception3a\.branch1\.conv\.weight", ("inception",)),
    (r"[0-9]\.weight", ("linear", "mlp", "cnn-small", "cnn", "resnet-tsipras")),
)
_WIDE = (
    (r"block1\.layer\.([0-9]+)\.conv1\.weight", "wrn-{}-{}"),
    (r"layer\.0\.block\.([0-9]+)\.conv_0\.weight", "dm-wrn-{}-{}"),
)


def fits(tensors: dict[str, Tensor], arch: str, args: dict, shapes: tuple[Shape, ...]) -> Iterator[Fit]:
    """How a file fits an architecture for images of these shapes, in each variant that was published."""
    variants = preact.VARIANTS if preact.NAME.fullmatch(arch) else ({},)
    for shape in shapes:
        for variant in variants:
            if fit := fit_to(tensors, arch, {**variant, **args}, shape):
                yield fit


def guess(tensors: dict[str, Tensor]) -> list[str]:
    """The architectures whose names and shapes are those of the file: none, one, or several."""
    found = [arch for arch in _candidates(tensors) if any(not fit.problems for fit in _plausible(tensors, arch))]
    normalised = any(re.fullmatch(r"(.*\.)?bn\.weight", name) for name in tensors)
    # below 64 pixels vgg11_bn is vgg11, and a v2 with the last normalisation is the same as the first
    doubles = {f"{arch}_bn" for arch in found} | ({f"{arch}-v2" for arch in found} if normalised else set())
    return [arch for arch in found if arch not in doubles]


def _plausible(tensors: dict[str, Tensor], arch: str) -> Iterator[Fit]:
    """The fits until one is of other names; VGGs alone have other names for other sizes."""
    for fit in fits(tensors, arch, {}, SHAPES):
        yield fit
        if not arch.startswith(("vgg", "preact")) and any(not p.startswith("'") for p in fit.problems):
            return


def _candidates(tensors: dict[str, Tensor]) -> list[str]:
    units = {(int(match[1]), int(match[2])) for name in tensors if (match := _UNIT.fullmatch(name))}
    stages = tuple(sum(stage == number for stage, _ in units) for number in (1, 2, 3, 4))
    found = [*_RESNETS.get(stages, ())]
    for pattern, archs in _FAMILIES:
        if any(re.fullmatch(rf"(.*\.)?{pattern}", name) for name in tensors):
            found += archs
    for pattern, form in _WIDE:
        matches = {name: match for name in tensors if (match := re.fullmatch(rf"(?:.*\.)?{pattern}", name))}
        if matches:
            number = max(int(match[1]) for match in matches.values()) + 1
            arch = form.format(6 * number + 4, sum(tensors[next(iter(matches))].shape[:1]) // 16)
            found += [arch] if is_wide_resnet(arch) or is_deepmind(arch) else []
    return found
