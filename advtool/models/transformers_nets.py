"""Image classifiers of the transformers library, by class and configuration; an optional dependency."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from advtool import bounds
from advtool.errors import UsageError
from advtool.io.shape import Shape
from advtool.models import limits

PREFIX = "transformers:"
_SIZED = "image_size"
_LEFT_OUT = frozenset(
    {"architectures", "auto_map", "custom_pipelines", "dtype", "torch_dtype", "transformers_version"}
    | {"id2label", "label2id", "num_labels", "attn_implementation", "experts_implementation", "quantization_config"}
)


def essential(config: dict[str, Any]) -> dict[str, Any]:
    """What of a configuration determines the network; nothing that names code, or files to be fetched."""
    return {name: value for name, value in config.items() if name not in _LEFT_OUT and not name.startswith("_")}


def transformers_net(name: str, classes: int, shape: Shape, config: dict[str, Any] | None = None) -> nn.Module:
    """The classifier of transformers, freshly initialised, which returns logits; nothing is downloaded.

    Parameters
    ----------
    name : of the class, such as ``ResNetForImageClassification``
    config : what its ``config.json`` says

    Raises
    ------
    UsageError
        if transformers is not installed or has no such classifier, or there is no configuration
    """
    kind, settings = _prepared(name, classes, shape, config)
    with _refusing(name):
        net = kind(settings)
    net.register_forward_hook(_logits)
    return net


def renamed(
    name: str, classes: int, shape: Shape, config: dict[str, Any] | None, tensors: dict[str, Tensor]
) -> dict[str, Tensor]:
    """Tensors by the names that they have in the network: files are written with those of earlier versions.

    What does not belong to the network, or has another shape, is returned as it is.
    """
    from transformers import logging

    kind, settings = _prepared(name, classes, shape, config)
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        with _refusing(name):
            _check_size(kind, settings, name, tensors)
            net, found = kind.from_pretrained(
                None,
                config=settings,
                state_dict=dict(tensors),
                output_loading_info=True,
                ignore_mismatched_sizes=True,
                dtype=torch.float32,
            )
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
    lacking = {*found["missing_keys"], *(mismatch[0] for mismatch in found["mismatched_keys"])}
    unknown = {each: tensors[each] for each in (*found["unexpected_keys"], *lacking) if each in tensors}
    return {each: tensor for each, tensor in net.state_dict().items() if each not in lacking} | unknown


def _check_size(kind: Any, settings: Any, name: str, tensors: dict[str, Tensor]) -> None:
    """Refuse a configuration of a network that is much larger than the weights that there are for it."""
    with (
        torch.device("meta"),
        limits.limited(name, limits.most_for(tensors)),
    ):
        net = kind(settings)
    if len(tensors) > 4 * len(net.state_dict()) + bounds.SAMPLE_MEMBERS:
        raise _refusal(name, f"has {len(net.state_dict()):,} tensors, and there are {len(tensors):,} in the file")


def _prepared(name: str, classes: int, shape: Shape, config: dict[str, Any] | None) -> tuple[Any, Any]:
    """(the class, its configuration)."""
    try:
        import transformers
        from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES as KNOWN
    except ImportError:
        raise _refusal(name, "transformers is not installed (pip install 'advtool[transformers]')") from None
    model_type = next((kind for kind, names in KNOWN.items() if name == names or name in _several(names)), None)
    if model_type is None and name.endswith("Model"):
        raise _refusal(name, "has no last layer: features only")
    if model_type is None:
        raise _refusal(name, "transformers has no such image classifier")
    if config is None:
        raise _refusal(name, "is built from the config.json beside its weights: name the folder of both")
    if config.get("model_type", model_type) != model_type:
        raise _refusal(name, f"is of model type {model_type}, its configuration of {config['model_type']}")
    limits.check_arguments(PREFIX + name, config)
    wanted = {each: value for each, value in essential(config).items() if each != "model_type"}
    with _refusing(name):
        settings = transformers.AutoConfig.for_model(model_type, **wanted, num_labels=classes)
    if hasattr(settings, "num_channels"):
        settings.num_channels = shape[0]
    if isinstance(getattr(settings, _SIZED, None), int | list | tuple):
        settings.image_size = shape[1] if shape[1] == shape[2] else list(shape[1:])
    return getattr(transformers, name), settings


@contextlib.contextmanager
def _refusing(name: str) -> Iterator[None]:
    """What the library raises over a configuration that it did not write, as an error in one line."""
    try:
        yield
    except UsageError:
        raise
    except Exception as error:  # its checks raise kinds of their own
        reason = (str(error) or type(error).__name__).strip().splitlines()[0]
        raise _refusal(name, f"cannot be built from its configuration ({reason})") from None


def _logits(module: nn.Module, inputs: object, output: Any) -> Tensor:
    """A hook, so that the parameters keep their names: what the network returns, without all but the logits."""
    return output.logits


def _several(names: object) -> tuple[str, ...]:
    return names if isinstance(names, tuple) else ()


def _refusal(name: str, reason: str) -> UsageError:
    return UsageError(reason, parameter="arch", value=PREFIX + name)
