"""Files of ``torch.save``: tensors are read, objects are refused, since unpickling them would run code."""

import hashlib
import io
import pickle
import pickletools
import shlex
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advtool.errors import AdvtoolError
from advtool.io.checkpoints import MAX_BYTES
from advtool.io.streams import TORCH, Stream

if TYPE_CHECKING:
    from torch import Tensor

_STATE_KEYS = ("model", "state_dict", "model_state_dict", "net", "network", "weights", "params", "last", "best")


def read_tensors(stream: Stream) -> tuple[dict[str, "Tensor"], str]:
    """Read the state dict in a file of ``torch.save``, wherever in it that lies, and close the stream.

    Returns
    -------
    name → dense tensor, and the SHA-256 of the whole file

    Raises
    ------
    AdvtoolError
        if the file is damaged, holds pickled objects, or holds no state dict
    """
    with stream:
        data = stream.expect(TORCH, "a PyTorch file").read_all(MAX_BYTES)
    state = _find_state(_load(data, stream.name))
    if state is None:
        raise AdvtoolError(f"{stream.name}: a PyTorch file without a state dict (tensors by name)")
    for name, tensor in state.items():
        if tensor.is_quantized or str(tensor.layout) != "torch.strided":
            raise AdvtoolError(f"{stream.name}: '{name}' is quantised or sparse; save the weights as dense tensors")
    return state, hashlib.sha256(data).hexdigest()


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
        f" torch.save(c.get('model', c.get('state_dict', c)), {str(new)!r})"
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


def _find_state(content: object) -> dict[str, "Tensor"] | None:
    """The tensors of a state dict, at the top or under one of the usual keys."""
    import torch

    if not isinstance(content, dict):
        return None
    for key in _STATE_KEYS:
        if (found := _find_state(content.get(key))) is not None:
            return found
    tensors = {name: value for name, value in content.items() if isinstance(value, torch.Tensor)}
    return tensors if tensors and all(isinstance(name, str) for name in tensors) else None
