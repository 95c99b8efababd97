"""How tests start the real command."""

import os
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
COMMAND = [sys.executable, "-m", "advtool"]


def environment(**changes: str) -> dict[str, str]:
    # One thread a process: the tests run side by side, and the models are tiny.
    return {**os.environ, "PYTHONPATH": str(REPOSITORY), "COLUMNS": "120", "OMP_NUM_THREADS": "1", **changes}
