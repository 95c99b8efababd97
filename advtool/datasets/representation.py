"""What a layer of a network computes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from advtool.errors import AdvtoolError, UsageError, unknown
from advtool.models.classifier import Classifier


@contextmanager
def representation(model: Classifier, layer: str | None = None) -> Iterator[Callable[[Tensor], Tensor]]:
    """The function g(x) that a layer computes, for as long as the block lasts.

    Parameters
    ----------
    layer : name of a module of the network, whose output is g; by default g is the input of the last fully
        connected layer, the penultimate representation (Ilyas et al. 2019, section 3.1)

    Yields
    ------
    function from pixels in [0, 1], N×C×H×W, to N×D, float32; gradients pass through it

    Raises
    ------
    UsageError
        if there is no such layer
    """
    caught: list[Tensor] = []
    if layer is None:
        affine = [module for module in model.net.modules() if isinstance(module, nn.Linear)]
        if not affine:
            raise UsageError(f"{model.spec.arch} has no fully connected layer: name another", parameter="layer")
        handle = affine[-1].register_forward_pre_hook(lambda module, inputs: caught.append(inputs[0]))
    else:
        modules = {name: module for name, module in model.net.named_modules() if name}
        if layer not in modules:
            raise unknown("layer", layer, modules)
        handle = modules[layer].register_forward_hook(lambda module, inputs, output: caught.append(output))

    def represent(x: Tensor) -> Tensor:
        caught.clear()
        model(x)
        if not caught or not isinstance(caught[-1], Tensor):
            raise AdvtoolError(f"layer {layer or 'before the last'} of {model.spec.arch} computes no tensor")
        found = caught[-1].flatten(1).float()
        caught.clear()
        return found

    try:
        yield represent
    finally:
        handle.remove()


def relative_distance(found: Tensor, wanted: Tensor) -> Tensor:
    """‖found − wanted‖₂ / ‖wanted‖₂ of each row, without the denominator where that is 0; N."""
    size = wanted.norm(dim=1)
    return (found - wanted).norm(dim=1) / torch.where(size > 0, size, 1.0)
