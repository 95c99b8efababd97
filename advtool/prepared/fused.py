"""Convolutions that add and rectify what they return while it is in the cache, as oneDNN can on CPUs."""

import operator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

_ADDITIONS = (operator.add, operator.iadd, torch.add)
_IMAGES = 128
"""How many images at a time the layout of the weights is chosen for; any number can be run."""

_RECTIFIERS = (F.relu, torch.relu, torch.relu_, "relu", "relu_")


def fuse(net: fx.GraphModule) -> int:
    """Fuse every convolution with the ReLU after it, and with an addition between them; returns how many.

    Parameters
    ----------
    net : on a CPU, with shapes noted
    """
    if not (torch.backends.mkldnn.is_available() and next(net.parameters()).device.type == "cpu"):
        return 0
    modules, count = dict(net.named_modules()), 0
    for node in list(net.graph.nodes):
        if not _is_relu(node, modules):
            continue
        (before, *_), other = node.args, None
        if _is_addition(before):
            before, other = _apart(before, modules)
        if not _is_convolution(before, modules):
            continue
        with net.graph.inserting_before(node):
            arguments = (before.args[0],) if other is None else (before.args[0], other)
            fused = net.graph.call_module(before.target, arguments)
        fused.meta = dict(node.meta)
        net.set_submodule(before.target, Rectified(modules[before.target], tuple(before.args[0].meta["shape"][1:])))
        node.replace_all_uses_with(fused)
        net.graph.erase_node(node)
        net.graph.eliminate_dead_code()
        count += 1
    return count


class Rectified(nn.Module):
    """max(0, conv(x) + other) of a convolution, under the names of its parameters.

    Parameters
    ----------
    conv : with zeros around the image, if anything
    shape : of its input, but for the number of images
    """

    def __init__(self, conv: nn.Conv2d, shape: tuple[int, ...]):
        super().__init__()
        self.weight, self.bias = conv.weight, conv.bias
        self._geometry = (list(conv.padding), list(conv.stride), list(conv.dilation), conv.groups)
        self._shape = shape
        self._packed: Tensor | None = None

    def pack(self) -> None:
        """Lay the weights out as oneDNN wants them, now that they have changed."""
        reorder: Any = torch._C._nn.mkldnn_reorder_conv2d_weight
        self._packed = reorder(self.weight.detach().to_mkldnn(), *self._geometry, [_IMAGES, *self._shape])

    def forward(self, x: Tensor, other: Tensor | None = None) -> Tensor:
        weight = self.weight if self._packed is None else self._packed
        arguments = (x, other, weight, self.bias, self._geometry)
        if torch.is_grad_enabled():
            found: Tensor = _Rectified.apply(self.weight, *arguments)
            return found
        return _rectified(*arguments)


class _Rectified(torch.autograd.Function):
    """The gradient goes to the images alone: weights are frozen."""

    @staticmethod
    def forward(ctx: Any, plain: Tensor, *arguments: Any) -> Tensor:
        y = _rectified(*arguments)
        x, other, _, _, ctx.geometry = arguments
        ctx.save_for_backward(x, y, plain)
        ctx.adds = other is not None
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, y, weight = ctx.saved_tensors
        padding, stride, dilation, groups = ctx.geometry
        passed = torch.ops.aten.threshold_backward(gradient, y, 0)
        wanted = [ctx.needs_input_grad[1], False, False]
        (found, _, _) = torch.ops.aten.convolution_backward(
            passed, x, weight, None, stride, padding, dilation, False, [0, 0], groups, wanted
        )
        return None, found, passed if ctx.adds else None, None, None, None


def _rectified(
    x: Tensor, other: Tensor | None, weight: Tensor, bias: Tensor | None, geometry: tuple[Any, ...]
) -> Tensor:
    convolution = torch.ops.mkldnn._convolution_pointwise
    if other is None:
        found: Tensor = convolution(x, weight, bias, *geometry, "relu", [], "")
    else:
        found = convolution.binary(x, other, weight, bias, *geometry, "add", 1.0, "relu", [], "")
    return found


def _is_relu(node: fx.Node, modules: dict[str, nn.Module]) -> bool:
    if node.op == "call_module":
        return type(modules[str(node.target)]) is nn.ReLU and isinstance(node.args[0], fx.Node)
    return node.op in ("call_function", "call_method") and node.target in _RECTIFIERS


def _is_addition(node: fx.Node) -> bool:
    """Whether it adds two images of one size, and nobody else wants the sum."""
    if node.op != "call_function" or node.target not in _ADDITIONS or len(node.users) != 1 or node.kwargs:
        return False
    shapes = [each.meta.get("shape") for each in node.args if isinstance(each, fx.Node)]
    return len(shapes) == 2 and shapes[0] == shapes[1] is not None


def _apart(addition: fx.Node, modules: dict[str, nn.Module]) -> tuple[fx.Node, fx.Node | None]:
    """The two that are added, the convolution to be fused first."""
    first, second = addition.args
    assert isinstance(first, fx.Node) and isinstance(second, fx.Node)
    return (first, second) if _is_convolution(first, modules) else (second, first)


def _is_convolution(node: fx.Node, modules: dict[str, nn.Module]) -> bool:
    """Whether it is one that can be fused, called once, and nobody else wants what it returns."""
    if node.op != "call_module" or len(node.users) != 1 or type(conv := modules[str(node.target)]) is not nn.Conv2d:
        return False
    calls = sum(each.op == "call_module" and each.target == node.target for each in node.graph.nodes)
    return calls == 1 and conv.padding_mode == "zeros" and not isinstance(conv.padding, str)
