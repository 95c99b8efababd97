"""A network rewritten so that its gradients cost less: the same function but for rounding.

BatchNorm goes into the convolution or fully connected layer before it, an image is flattened as it lies in memory, and
the last fully connected layer is left in float32.
"""

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights, fuse_linear_bn_weights

from advtool.prepared.fused import Rectified, fuse

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_LAYERS = {nn.BatchNorm1d: (nn.Conv1d, nn.Linear), nn.BatchNorm2d: (nn.Conv2d,), nn.BatchNorm3d: (nn.Conv3d,)}


class Folded(nn.Module):
    """A copy of a network in eval mode, folded, frozen, in one precision.

    Parameters
    ----------
    net : whose forward pass `torch.fx` can follow; left as it was found
    dtype : of weights and activations
    shape : C×H×W of the images
    layer : a module whose output is wanted instead of the network's; ``""`` for the input of the last fully connected
        one

    Attributes
    ----------
    net : the copy
    folds : how many BatchNorms are gone
    fused : how many convolutions rectify what they return

    Raises
    ------
    Exception
        of whatever type, if the network cannot be followed or copied
    """

    def __init__(self, net: nn.Module, dtype: torch.dtype, shape: tuple[int, ...], layer: str | None = None):
        super().__init__()
        self._source = (net,)  # not a part of this module
        graph = fx.Tracer().trace(net)
        self.net = fx.GraphModule(copy.deepcopy(net), graph)
        if layer is not None:
            _cut(self.net, layer)
        self._folds = tuple(_without_norms(self.net))
        _note_shapes(self.net, shape)
        self.fused = fuse(self.net)
        self._flattened = _flattened_as_it_lies(self.net)
        last = _last_layer(self.net)
        self.net.to(dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if last:
            last.float()
        self.net.recompile()
        self.net.eval().requires_grad_(False)
        self.refresh()

    @property
    def folds(self) -> int:
        return len(self._folds)

    @torch.no_grad()
    def refresh(self) -> None:
        """Take over the weights that the network has now."""
        net = self._source[0]
        source = dict(net.named_parameters(remove_duplicate=False)) | dict(net.named_buffers(remove_duplicate=False))
        folded = {fold.layer for fold in self._folds}
        into, new = [], []
        for name, value in (*self.net.named_parameters(), *self.net.named_buffers()):
            if name.rpartition(".")[0] not in folded:
                into.append(value)
                new.append(self._as_it_lies(name, source[name]))
        for fold in self._folds:
            values = fold.weights(net)
            into += [self.net.get_parameter(f"{fold.layer}.{name}") for name in ("weight", "bias")]
            new += [self._as_it_lies(f"{fold.layer}.weight", values[0]), values[1]]
        torch._foreach_copy_(into, new)
        for module in self.net.modules():
            if isinstance(module, Rectified):
                module.pack()

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.net(x)
        return found

    def _as_it_lies(self, name: str, weight: Tensor) -> Tensor:
        if name != f"{self._flattened and self._flattened[0]}.weight":
            return weight
        assert self._flattened
        return weight.unflatten(1, self._flattened[1]).permute(0, 2, 3, 1).flatten(1)


def _cut(net: fx.GraphModule, layer: str) -> None:
    """Return what a module of the network returns; ``""`` for what the last fully connected one is given."""
    calls = {str(node.target): node for node in net.graph.nodes if node.op == "call_module"}
    if layer:
        wanted = calls[layer]
    else:
        name = [name for name, module in net.named_modules() if isinstance(module, nn.Linear)][-1]
        (wanted,) = calls[name].args
    (output,) = (node for node in net.graph.nodes if node.op == "output")
    output.args = (wanted,)
    net.graph.eliminate_dead_code()
    net.delete_all_unused_submodules()


@dataclass(frozen=True)
class _Fold:
    """A BatchNorm that went into the layer before it; names of both in the network."""

    layer: str
    norm: str

    def weights(self, net: nn.Module) -> tuple[Tensor, Tensor]:
        """Weight and bias of the layer, with the norm in them."""
        layer, norm = net.get_submodule(self.layer), net.get_submodule(self.norm)
        assert isinstance(norm, _NORMS) and norm.running_mean is not None and norm.running_var is not None
        fuse: Any = fuse_linear_bn_weights if isinstance(layer, nn.Linear) else fuse_conv_bn_weights
        found: tuple[Tensor, Tensor] = fuse(
            layer.weight, layer.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
        )
        return found


def _without_norms(net: fx.GraphModule) -> Iterator[_Fold]:
    """Take BatchNorms out of the graph that follow a layer whose output nobody else wants."""
    modules, uses = dict(net.named_modules()), _uses(net)
    for node in list(net.graph.nodes):
        if node.op != "call_module" or type(norm := modules[node.target]) not in _NORMS:
            continue
        (before,) = node.args
        alone = isinstance(before, fx.Node) and before.op == "call_module" and len(before.users) == 1
        if not (alone and uses[before.target] == uses[node.target] == 1 and norm.running_mean is not None):
            continue
        layer = modules[before.target]
        if type(layer) not in _LAYERS[type(norm)]:
            continue
        if layer.bias is None:
            layer.bias = nn.Parameter(layer.weight.new_zeros(layer.weight.shape[0]))
        node.replace_all_uses_with(before)
        net.graph.erase_node(node)
        net.delete_submodule(node.target)
        yield _Fold(before.target, node.target)


class _Shapes(fx.Interpreter):
    """Notes the shape of what every node returns. `ShapeProp` does too, but imports half a second of algebra."""

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if isinstance(result, Tensor):
            n.meta["shape"] = tuple(result.shape)
        return result


def _note_shapes(net: fx.GraphModule, shape: tuple[int, ...]) -> None:
    """Note the shape of what every node of the graph returns, for images of this one."""
    net.recompile()
    like = next(net.parameters())
    with torch.no_grad():
        _Shapes(net).run(torch.zeros(2, *shape, device=like.device, dtype=like.dtype))


def _flattened_as_it_lies(net: fx.GraphModule) -> tuple[str, tuple[int, ...]] | None:
    """Flatten the image before a fully connected layer with its channels last: (the layer, C×H×W), if there is one.

    Otherwise its gradient would lie differently from the images, and all that is done with both be slow.
    """
    modules, uses = dict(net.named_modules()), _uses(net)
    for node in net.graph.nodes:
        if node.op != "call_module" or not isinstance(modules[node.target], nn.Flatten):
            continue
        (image,), flatten = node.args, modules[node.target]
        found, users = image.meta["shape"], list(node.users)
        if (flatten.start_dim, flatten.end_dim) != (1, -1) or len(found) != 4 or math.prod(found[2:]) == 1:
            continue
        if len(users) != 1 or users[0].op != "call_module" or uses[users[0].target] != 1:
            continue
        if isinstance(modules[users[0].target], nn.Linear):
            with net.graph.inserting_before(node):
                node.args = (net.graph.call_method("permute", (image, 0, 2, 3, 1)),)
            return users[0].target, tuple(found[1:])
    return None


def _last_layer(net: fx.GraphModule) -> nn.Linear | None:
    """The fully connected layer that computes the logits, whose input is made float32; None if something else does."""
    (output,) = (node for node in net.graph.nodes if node.op == "output")
    (last,) = output.args
    if not (isinstance(last, fx.Node) and last.op == "call_module" and _uses(net)[str(last.target)] == 1):
        return None
    layer = net.get_submodule(str(last.target))
    if not isinstance(layer, nn.Linear):
        return None
    with net.graph.inserting_before(last):
        last.args = (net.graph.call_method("float", (last.args[0],)),)
    return layer


def _uses(net: fx.GraphModule) -> dict[str, int]:
    """How often each module is called."""
    found: dict[str, int] = {}
    for node in net.graph.nodes:
        if node.op == "call_module":
            found[node.target] = found.get(node.target, 0) + 1
    return found
