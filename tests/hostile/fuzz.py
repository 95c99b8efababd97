"""``python tests/hostile/fuzz.py SECONDS [SEED] [TARGET …]``: mutates real files and reads them, in this process.

A find is what raises anything but AdvtoolError, takes more than 2 s, or more than 1 GB. Each is written to
``fuzz-finds/`` under its target, seed and number; `tests/hostile/finds.py` keeps those that were mended.
"""

import contextlib
import random
import signal
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from hostile import mutations, targets

from advtool.errors import AdvtoolError

SLOW, LARGE = 2.0, 1 << 30
_HANGS = 20


class Hang(BaseException):
    """It did not come to an end."""


def main(seconds: float, seed: int, wanted: list[str]) -> int:
    """Fuzz for so long; returns the number of finds."""
    signal.signal(signal.SIGALRM, _hang)
    warnings.simplefilter("ignore")
    found, runs, seen = 0, 0, set[str]()
    with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
        known = {name: each for name, each in targets.targets(Path(place)).items() if not wanted or name in wanted}
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            runs += 1
            rng = random.Random(f"{seed}/{runs}")
            name = rng.choice(sorted(known))
            target = known[name]
            data = mutations.mutated(rng.choice(target.originals), rng, target.originals)
            if (what := tried(target, data)) and (name, what.splitlines()[-1]) not in seen:
                seen.add((name, what.splitlines()[-1]))
                found += 1
                print(f"{name} {seed}/{runs}, {len(data)} bytes: {what}", flush=True)
                keep = Path(__file__).parent / "fuzz-finds"
                keep.mkdir(exist_ok=True)
                (keep / f"{name}-{seed}-{runs}").write_bytes(data[: 1 << 20])
    print(f"{runs:,} inputs in {seconds:.0f} s, {found} finds")
    return found


def tried(target: targets.Target, data: bytes) -> str | None:
    """What is wrong with how a target reads the data; None if nothing."""
    Path("/proc/self/clear_refs").write_text("5")
    before, start = targets.status("VmRSS"), time.monotonic()
    signal.alarm(_HANGS)
    try:
        target.read(data)
    except AdvtoolError as error:
        if len(str(error).splitlines()) > 1 and not target.shows_lines:
            return f"an error of several lines: {str(error)[:200]!r}"
    except Hang:
        return "hangs"
    except Exception:  # a finding, which the caller reports
        return traceback.format_exc(limit=-4)
    finally:
        signal.alarm(0)
    seconds, more = time.monotonic() - start, targets.status("VmHWM") - before
    if seconds > SLOW:
        return f"takes {seconds:.0f} s"
    return f"takes {more >> 20} MB" if more > LARGE else None


def _hang(*_: object) -> None:
    raise Hang


if __name__ == "__main__":
    sys.exit(bool(main(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0, sys.argv[3:])))
