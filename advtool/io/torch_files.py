"""Files of ``torch.save``: tensors are read, objects are refused, since unpickling them would run code."""

import hashlib
import io
import pickle
import pickletools
import re
import shlex
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advtool.errors import AdvtoolError
from advtool.io.checkpoints import MAX_BYTES
from advtool.io.streams import TORCH, Stream

if TYPE_CHECKING:
    from torch import Tensor

States = dict[str, dict[str, "Tensor"]]
"""Weights by where in a file they lie, such as ``state_dict_ema``; the empty text for the top."""

_STATE_KEYS = ("model", "state_dict", "model_state_dict", "net", "network", "weights", "params", "last", "best")
_WRAPPERS = ("module", "shadow")  # what classes of moving averages call the network in them
_AVERAGE = re.compile(r"(^|[^a-z])(ema|swa)([^a-z]|$)|EMA")


def is_average(name: str) -> bool:
    """Whether weights of this name, as in ``state_dict_ema`` or ``model_ema.module``, are a moving average."""
    return _AVERAGE.search(name) is not None


def read_states(stream: Stream) -> tuple[States, str]:
    """Read the state dicts in a file of ``torch.save``, wherever in it they lie, and close the stream.

    Returns
    -------
    weights by place, moving averages first; and the SHA-256 of the whole file

    Raises
    ------
    AdvtoolError
        if the file is damaged, holds pickled objects, or holds no state dict
    """
    with stream:
        data = stream.expect(TORCH, "a PyTorch file").read_all(MAX_BYTES)
    states = _find_states(_load(data, stream.name))
    if not states:
        raise AdvtoolError(f"{stream.name}: a PyTorch file without a state dict (tensors by name)")
    for state in states.values():
        for name, tensor in state.items():
            if tensor.is_quantized or str(tensor.layout) != "torch.strided":
                raise AdvtoolError(f"{stream.name}: '{name}' is quantised or sparse; save the weights as dense tensors")
    return dict(sorted(states.items(), key=lambda item: not is_average(item[0]))), hashlib.sha256(data).hexdigest()


def _load(data: bytes, name: str) -> Any:
    import torch

    try:
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise AdvtoolError(_refusal(data, name)) from None
    except RuntimeError as error:
        if "TorchScript" in str(error):
            raise AdvtoolError(f"{name}: a TorchScript archive; save the state_dict() of the model instead") from None
        raise AdvtoolError(f"{name}: damaged, or a zip that is no PyTorch file") from None
    except Exception:  # torch's unpickler raises whatever it trips over in a damaged file
        raise AdvtoolError(f"{name}: damaged PyTorch file") from None


def _refusal(data: bytes, name: str) -> str:
    objects = _objects(data)
    shown = ", ".join(objects[:3]) + (", …" if len(objects) > 3 else "") or "unknown"
    with_dill = any(each.startswith("dill") for each in objects)
    new = Path(name).with_suffix(".tensors.pt")
    script = (
        f"import torch{', dill' if with_dill else ''}; c = torch.load({name!r}, map_location='cpu', weights_only=False"
        f"{', pickle_module=dill' if with_dill else ''}); c = c.state_dict() if hasattr(c, 'state_dict') else c;"
        f" torch.save({{k: v if isinstance(v, dict) else v.state_dict() for k, v in c.items() if (k in {_STATE_KEYS} or"
        f" 'ema' in str(k)) and (isinstance(v, dict) or hasattr(v, 'state_dict'))}} or c, {str(new)!r})"
    )
    return (
        f"{name}: refused, since its pickle holds objects ({shown}) and loading those can run any code."
        f" If you trust its author, keep the tensors only, in a container without network or secrets:"
        f" python -c {shlex.quote(script)}"
    )


def _objects(data: bytes) -> list[str]:
    """The functions and classes that a file names, other than torch's own; nothing is run to find them."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            pickled = next(archive.read(name) for name in archive.namelist() if name.endswith("data.pkl"))
        named = {str(each).replace(" ", ".") for op, each, _ in pickletools.genops(pickled) if op.name == "GLOBAL"}
    except Exception:  # a damaged pickle, or the format before zip
        return []
    return sorted(each for each in named if not each.startswith(("torch.", "collections.OrderedDict")))


def _find_states(content: object) -> States:
    """The state dicts under the usual keys and under those of moving averages; else the tensors at the top."""
    import torch

    if not isinstance(content, dict):
        return {}
    named = {key: value for key, value in content.items() if isinstance(key, str)}
    averages = [key for key in named if is_average(key)]
    nested: States = {}
    for key in (*averages, *_STATE_KEYS, *_WRAPPERS):
        for place, state in _find_states(named.get(key)).items():
            nested[f"{key}.{place}" if place else key] = state
    if nested:
        return nested
    tensors = {name: value for name, value in content.items() if isinstance(value, torch.Tensor)}
    if tensors:
        return {"": tensors} if all(isinstance(name, str) for name in tensors) else {}
    others = {key: found for key, value in named.items() if (found := _find_states(value))}
    if len(others) != 1:
        return {}
    ((key, states),) = others.items()
    return {f"{key}.{place}" if place else key: state for place, state in states.items()}
