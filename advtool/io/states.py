"""Sets of weights in what a file holds: dictionaries of tensors, wherever they lie."""

import re
from typing import TYPE_CHECKING, Any

from advtool import bounds
from advtool.errors import AdvtoolError
from advtool.io.checkpoints import check_names

if TYPE_CHECKING:
    from torch import Tensor

States = dict[str, dict[str, "Tensor"]]
"""Weights by where in a file they lie, such as ``state_dict_ema``; the empty text for the top."""

STATE_KEYS = ("model", "state_dict", "model_state_dict", "net", "network", "weights", "params", "last", "best")
_WRAPPERS = ("module", "shadow")  # what classes of moving averages call the network in them
_AVERAGE = re.compile(r"(^|[^a-z])(ema|swa)([^a-z]|$)|EMA")


def is_average(name: str) -> bool:
    """Whether weights of this name, as in ``state_dict_ema`` or ``model_ema.module``, are a moving average."""
    return _AVERAGE.search(name) is not None


def find(content: object, path: str) -> States:
    """The state dicts under the usual keys and under those of moving averages; else the tensors at the top.

    Raises
    ------
    AdvtoolError
        if there are very many, or they are nested deeply or in one another
    """
    return _Search(path)(content, 0)


class _Search:
    """Looks at each dictionary once, in however many places it lies."""

    def __init__(self, path: str):
        self._path = path
        self._known: dict[int, States] = {}

    def __call__(self, content: object, level: int) -> States:
        if not isinstance(content, dict):
            return {}
        if level > bounds.STATES:
            raise AdvtoolError(f"{self._path}: its dictionaries are nested more than {bounds.STATES} deep")
        if id(content) not in self._known:
            self._known[id(content)] = {}  # what it has of itself inside
            self._known[id(content)] = self._in(content, level + 1)
        return self._known[id(content)]

    def _in(self, content: dict[Any, Any], level: int) -> States:
        import torch

        named = {key: value for key, value in content.items() if isinstance(key, str)}
        averages = [key for key in named if is_average(key)]
        nested: States = {}
        for key in (*averages, *STATE_KEYS, *_WRAPPERS):
            nested |= _below(key, self(named.get(key), level))
            if len(nested) > bounds.STATES:
                raise AdvtoolError(f"{self._path}: holds more than {bounds.STATES} state dicts")
        if nested:
            return nested
        tensors = {name: value for name, value in content.items() if isinstance(value, torch.Tensor)}
        if tensors:
            return {"": tensors} if all(isinstance(name, str) for name in tensors) else {}
        others = [_below(key, found) for key, value in named.items() if (found := self(value, level))]
        return others[0] if len(others) == 1 else {}


def _below(key: str, states: States) -> States:
    return {f"{key}.{place}" if place else key: state for place, state in states.items()}


def check(states: States, path: str) -> None:
    """Refuse tensors that are no plain numbers in memory, by name, and those that show more than there is."""
    for state in states.values():
        check_names(state, path)
        stored: dict[int, int] = {}
        for name, tensor in state.items():
            if tensor.is_nested or tensor.is_quantized or str(tensor.layout) != "torch.strided":
                raise AdvtoolError(
                    f"{path}: '{name}' is quantised, nested or sparse; save the weights as dense tensors"
                )
            if tensor.device.type != "cpu":
                raise AdvtoolError(f"{path}: '{name}' is on the device {tensor.device.type} and has no numbers")
            storage = tensor.untyped_storage()
            stored[storage.data_ptr()] = storage.nbytes()
            if tensor.nbytes > storage.nbytes():
                raise AdvtoolError(
                    f"{path}: '{name}' is expanded: {tensor.nbytes} bytes, of which {storage.nbytes()} are there;"
                    " save a clone() of it"
                )
        shown, there = sum(tensor.nbytes for tensor in state.values()), sum(stored.values())
        if shown > bounds.SHARING * there + bounds.MIB:
            raise AdvtoolError(f"{path}: its tensors show {shown} bytes, of which {there} are there")
