"""Archives of arrays that come in parts: what NumPy reads of them, and that equal arrays make equal files."""

import io

import numpy as np
import pytest

from advtool.io import npz
from advtool.io.npz import Growing


@pytest.mark.parametrize("in_memory", [1 << 20, 10])
def test_numpy_reads_what_was_added(in_memory, monkeypatch):
    monkeypatch.setattr(npz, "_IN_MEMORY", in_memory)
    generator, files = np.random.default_rng(0), []
    images, labels = generator.random((7, 3, 4, 5)).astype(np.float32), np.arange(7, dtype=np.int64)
    for step in (3, 3, 7):
        arrays, file = Growing(), io.BytesIO()
        for start in range(0, 7, step):
            arrays.add(x_adv=images[start : start + step], y=labels[start : start + step])
        arrays.write(file)
        files.append(file.getvalue())
    assert files[0] == files[1] == files[2]
    with np.load(io.BytesIO(files[0]), allow_pickle=False) as found:
        assert sorted(found.files) == ["x_adv", "y"]
        assert found["x_adv"].dtype == np.float32 and np.array_equal(found["x_adv"], images)
        assert found["y"].dtype == np.int64 and np.array_equal(found["y"], labels)
