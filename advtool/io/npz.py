"""NumPy archives, ``.npz``, of arrays that come in parts."""

import shutil
import tempfile
import zipfile
from typing import BinaryIO, cast

import numpy as np

from advtool.io.atomic import Writable

_IN_MEMORY = 256 << 20
_DATE = (1980, 1, 1, 0, 0, 0)
"""Of all members, so that equal arrays make equal files; the first day that a zip can have."""


class Growing:
    """Arrays to which rows are added, written as an archive at the end; large ones are on disk until then."""

    def __init__(self) -> None:
        self._rows: dict[str, BinaryIO] = {}
        self._like: dict[str, np.ndarray] = {}
        self._n: dict[str, int] = {}

    def add(self, **arrays: np.ndarray) -> None:
        """Add rows to the arrays of these names; all rows of one have the same shape and type."""
        for name, array in arrays.items():
            if name not in self._rows:
                spool = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115, closed once it is written
                self._rows[name] = cast(BinaryIO, spool)
                self._like[name], self._n[name] = array[:0], 0
            self._rows[name].write(np.ascontiguousarray(array).tobytes())
            self._n[name] += len(array)

    def write(self, file: Writable) -> None:
        """Write the archive, without compression, as `numpy.savez` does; the arrays are gone then."""
        with zipfile.ZipFile(cast(BinaryIO, file), "w", zipfile.ZIP_STORED) as archive:
            for name, rows in self._rows.items():
                like = self._like[name]
                about = {"descr": np.lib.format.dtype_to_descr(like.dtype), "fortran_order": False}
                shape = (self._n[name], *like.shape[1:])
                member = zipfile.ZipInfo(f"{name}.npy", _DATE)
                with archive.open(member, "w", force_zip64=True) as out:
                    np.lib.format.write_array_header_1_0(cast(BinaryIO, out), {**about, "shape": shape})
                    rows.seek(0)
                    shutil.copyfileobj(rows, out)
                rows.close()
