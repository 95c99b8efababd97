"""Models to checkpoint bytes and back."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

import advtool
from advtool.errors import AdvtoolError
from advtool.io import checkpoints
from advtool.io.checkpoints import CheckpointFile
from advtool.models import importing, limits, transformers_nets
from advtool.models.classifier import Classifier, ModelSpec
from advtool.models.fitting import Layout, check_numbers, check_size, check_types
from advtool.models.importing import Wanted
from advtool.models.registry import build


def load(
    path: str | Path,
    device: str | torch.device = "cpu",
    *,
    arch: str | None = None,
    normalize: str | None = None,
    weights: str | None = None,
    **args: Any,
) -> Classifier:
    """Load a model from an advtool checkpoint, or from the file or folder of another library.

    Parameters
    ----------
    arch, args : architecture of a foreign file that does not say it, and its arguments
    normalize : normaliser of a foreign file that holds none, see `importing.Wanted`
    weights : which weights of a foreign file that holds several, such as ``state_dict_ema``

    Returns
    -------
    Module in eval mode that takes float pixels in [0, 1], N×C×H×W, and returns logits.

    Raises
    ------
    AdvtoolError
        if the file is missing, is no advtool checkpoint, is damaged, or its tensors do not fit its architecture
    """
    return restore(importing.read_path(path, Wanted(arch, args, normalize, weights))).to(device)


def restore(file: CheckpointFile) -> Classifier:
    """Build the model that a checkpoint file describes, with its weights, in eval mode."""
    check_types(file.tensors, file.path)
    try:
        spec = ModelSpec.from_json(file.meta)
        planned = check_size(spec, file.tensors)
        tensors = _named(spec, planned, file.tensors)
        if planned is not None:
            _check_fit(planned, tensors, spec.arch)
            model = build(spec)
        else:
            model = build(spec, limits.most_for(file.tensors))
        _check_fit({name: tensor.shape for name, tensor in model.net.state_dict().items()}, tensors, spec.arch)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise AdvtoolError(f"{file.path}: incomplete checkpoint metadata ({error})") from None
    except AdvtoolError as error:
        raise AdvtoolError(f"{file.path}: {error}") from None
    _load_weights(model, tensors, file.path)
    return model.eval()


def noisy(model: Classifier, noise: float) -> Classifier:
    """The model, which from now on adds Gaussian noise of this standard deviation to its images in every call."""
    model.noise = noise
    return model


def _named(spec: ModelSpec, planned: Layout | None, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors by their names here: between versions of transformers those of its networks change."""
    if not spec.arch.startswith(transformers_nets.PREFIX) or (planned and tensors.keys() == planned.keys()):
        return tensors
    name = spec.arch.removeprefix(transformers_nets.PREFIX)
    return transformers_nets.renamed(name, len(spec.classes), spec.shape, spec.args["config"], tensors)


def _check_fit(own: Layout, tensors: dict[str, torch.Tensor], arch: str) -> None:
    """Refuse tensors that are not those of the architecture, by name and shape."""
    for problem, names in (
        ("lacks", own.keys() - tensors.keys()),
        ("has unknown", tensors.keys() - own.keys()),
        ("has other shapes in", {n for n in own.keys() & tensors.keys() if own[n] != tensors[n].shape}),
    ):
        if names:
            example = sorted(names)[0]
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise AdvtoolError(f"does not fit architecture {arch}: {problem} '{example}'{more}")


def _load_weights(model: Classifier, tensors: dict[str, torch.Tensor], path: str) -> None:
    """Copy weights into the network of a model; they must be finite, and no integers where it has none."""
    own = model.net.state_dict()
    for name, tensor in tensors.items():
        if own[name].is_floating_point() and not tensor.is_floating_point():
            kind = str(tensor.dtype).removeprefix("torch.")
            raise AdvtoolError(f"{path}: '{name}' is of type {kind}: weights have to be float32, float16 or the like")
    check_numbers(tensors, path)
    model.net.load_state_dict(tensors)


def to_bytes(model: Classifier, **meta: Any) -> bytes:
    """Serialise a model with what else its checkpoint should say (training, data, metrics, seed)."""
    return checkpoints.to_bytes(
        model.net.state_dict(), {**model.spec.to_json(), "versions": library_versions(), **meta}
    )


def library_versions() -> dict[str, str]:
    """Versions of what determines a result."""
    found = {"advtool": advtool.__version__}
    for name in ("torch", "torchvision"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
