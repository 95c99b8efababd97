"""``meta`` tensors stand for those of a GPU: who waits for the device, and who mixes it with the host."""

import linecache
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from tests_support import REPOSITORY
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

PACKAGE_PATH = REPOSITORY / "advtool"
PACKAGE = str(PACKAGE_PATH)
_READ = {"aten::_local_scalar_dense", "aten::is_nonzero", "aten::equal", "aten::nonzero"}
_MADE = {torch.tensor, torch.as_tensor}


def is_meta(value: object) -> bool:
    return isinstance(value, torch.Tensor) and value.device.type == "meta"


def tensors(arguments: object) -> Iterator[torch.Tensor]:
    if isinstance(arguments, torch.Tensor):
        yield arguments
    elif isinstance(arguments, list | tuple):
        for each in arguments:
            yield from tensors(each)


class Waits(TorchDispatchMode):
    """Counts and answers what a GPU would be waited for, and notes tensors of the host among those of the device.

    Attributes
    ----------
    waits, strays : how often, by the innermost line of the project
    """

    def __init__(self) -> None:
        super().__init__()
        self.waits, self.strays = Counter[str](), Counter[str]()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name, given = function._schema.name, list(tensors([*args, *(kwargs or {}).values()]))
        if any(map(is_meta, given)):
            if name in _READ:
                self.waits[where()] += 1
                return self._answer(name, args)
            if name == "aten::index":
                args = (args[0], [self._places(index) for index in args[1]], *args[2:])
            if name == "aten::index_put_" or name == "aten::index_put":
                args = (args[0], [self._places(index) for index in args[1]], *args[2:])
            if any(not is_meta(each) and each.dim() for each in given):
                self.strays[where()] += 1
        elif name in ("aten::_to_copy", "aten::copy_") and (kwargs or {}).get("device") == torch.device("meta"):
            self.strays[where()] += 1
        return function(*args, **(kwargs or {}))

    def _places(self, index: torch.Tensor | None) -> torch.Tensor | None:
        """A boolean index as places, for which the device is waited for."""
        if not is_meta(index) or index.dtype != torch.bool:
            return index
        self.waits[where()] += 1
        return torch.empty(len(index), dtype=torch.int64, device="meta")

    def _answer(self, name: str, args: tuple):
        """All are finite, nobody is outside or done, and all places are taken."""
        value = args[0]
        if name == "aten::nonzero":
            return torch.empty(value.numel(), value.dim(), dtype=torch.int64, device="meta")
        if name == "aten::equal":
            return True
        return "finite" in line() if value.dtype == torch.bool else 1


class Made(TorchFunctionMode):
    """Notes tensors that are made on the device out of Python numbers, which dispatch does not see."""

    def __init__(self, strays: Counter[str]) -> None:
        super().__init__()
        self._strays = strays

    def __torch_function__(self, function, types, args=(), kwargs=None):
        device = (kwargs or {}).get("device")
        if function in _MADE and device is not None and torch.device(device).type == "meta":
            self._strays[where()] += 1
        if getattr(function, "__name__", "") == "new_tensor" and is_meta(args[0]):
            self._strays[where()] += 1
        return function(*args, **(kwargs or {}))


@contextmanager
def counted() -> Iterator[Waits]:
    """Count what happens in the block."""
    waits = Waits()
    with waits, Made(waits.strays):
        yield waits


def where() -> str:
    """The innermost line of the project, or of a test."""
    frame = sys._getframe(1)
    while not (frame.f_code.co_filename.startswith(PACKAGE) or Path(frame.f_code.co_filename).name.startswith("test_")):
        frame = frame.f_back
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"


def line() -> str:
    """What stands there."""
    name, _, number = where().partition(":")
    found = next(PACKAGE_PATH.rglob(name), None)
    return linecache.getline(str(found), int(number)) if found else ""
