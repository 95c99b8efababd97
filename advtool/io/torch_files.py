"""Files of ``torch.save``: tensors are read, objects are refused, since unpickling them would run code."""

import hashlib
import io
import pickle
import shlex
import zipfile
from pathlib import Path
from typing import Any

from advtool import bounds
from advtool.errors import AdvtoolError
from advtool.io import pickles
from advtool.io.checkpoints import MAX_BYTES
from advtool.io.states import STATE_KEYS, States, check, find, is_average
from advtool.io.streams import TORCH, Stream

_ZIP = b"PK\x03\x04"


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
    _check_size(data, stream.name)
    pickles.check(data, stream.name)
    states = find(_load(data, stream.name), stream.name)
    if not states:
        raise AdvtoolError(f"{stream.name}: a PyTorch file without a state dict (tensors by name)")
    check(states, stream.name)
    return dict(sorted(states.items(), key=lambda item: not is_average(item[0]))), hashlib.sha256(data).hexdigest()


def _check_size(data: bytes, name: str) -> None:
    """Refuse a zip whose entries come to more than itself: ``torch.save`` compresses nothing."""
    if not data.startswith(_ZIP):
        return
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            sizes = [entry.file_size for entry in archive.infolist()]
    except Exception:  # a damaged one, which PyTorch refuses too
        raise AdvtoolError(f"{name}: damaged, or a zip that is no PyTorch file") from None
    if len(sizes) > 2 * bounds.TENSORS:
        raise AdvtoolError(f"{name}: a zip of {len(sizes):,} entries, more than {2 * bounds.TENSORS:,}")
    if sum(sizes) > len(data):
        raise AdvtoolError(
            f"{name}: a compressed zip: {sum(sizes)} bytes in {len(data)}, and PyTorch compresses nothing;"
            " if you trust it, unpack it and pack it with `zip -0`"
        )


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
    objects = pickles.named(data)
    shown = ", ".join(objects[:3]) + (", …" if len(objects) > 3 else "") or "unknown"
    with_dill = any(each.startswith("dill") for each in objects)
    new = Path(name).with_suffix(".tensors.pt")
    script = (
        f"import torch{', dill' if with_dill else ''}; c = torch.load({name!r}, map_location='cpu', weights_only=False"
        f"{', pickle_module=dill' if with_dill else ''}); c = c.state_dict() if hasattr(c, 'state_dict') else c;"
        f" torch.save({{k: v if isinstance(v, dict) else v.state_dict() for k, v in c.items() if (k in {STATE_KEYS} or"
        f" 'ema' in str(k)) and (isinstance(v, dict) or hasattr(v, 'state_dict'))}} or c, {str(new)!r})"
    )
    return (
        f"{name}: refused, since its pickle holds objects ({shown}) and loading those can run any code."
        f" If you trust its author, keep the tensors only, in a container without network or secrets:"
        f" python -c {shlex.quote(script)}"
    )
