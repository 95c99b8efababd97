"""advtool against other libraries: one command, one table.

    python -m benchmarks.nets nets/ DATA
    python -m benchmarks --nets nets/ --preset table -o table

Every job is timed in a process of its own, ours and the others' in turn, and the medians of the rounds are printed, as
Markdown and into ``table.md`` and ``table.json``. Beside each time stands how strong it was: how many images stand, the
mean distance of those that fell, or the loss. Libraries that are not installed are named.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure import MISSING


@dataclass(frozen=True)
class Row:
    """A job of ours on a network, and who else can do it; `wanted` is how many times the fastest of them."""

    what: str
    net: str
    n: int
    others: tuple[str, ...]
    wanted: float | None = None


ATTACKS = {
    "pgd": ("plain", "torchattacks", "foolbox", "art"),
    "apgd-ce": ("torchattacks", "adv-lib"),
    "apgd-dlr": ("torchattacks",),
    "apgd-t": ("torchattacks",),
    "cw": ("foolbox",),
    "ddn": ("foolbox", "adv-lib"),
    "fab-t": ("torchattacks",),
    "square": ("torchattacks",),
    "train": ("plain",),
    "distill": ("plain",),
}
SIZES = {"digits": 360, "mnist": 500, "imagenette": 128}
PRESETS = {
    "smallest": [Row("pgd", "digits-robust", 60, ("plain", "torchattacks"))],
    "table": [
        Row("pgd", "digits-robust", 360, ("torchattacks", "plain"), 3),
        Row("pgd", "imagenette-robust", 256, ("plain", "torchattacks"), 4),
        Row("pgd", "imagenette-standard", 256, ("plain", "torchattacks"), 8),
        Row("autoattack", "digits-robust", 360, ("autoattack",), 5),
        Row("autoattack", "imagenette-robust", 64, ("autoattack",), 5),
        Row("train", "imagenette-robust", 1024, ("plain",), 3.5),
    ],
    "all": [
        Row(what, f"{kind}-{name}", size, others)
        for kind, size in SIZES.items()
        for name in ("standard", "robust")
        for what, others in ATTACKS.items()
    ],
}
EPS = {"mnist": 2.0}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nets", type=Path, required=True, help="folder of `python -m benchmarks.nets`")
    parser.add_argument("--preset", choices=PRESETS, default="table")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", help="jobs with this in their name, as in pgd")
    parser.add_argument("-o", "--out", type=Path, help="write OUT.json and OUT.md")
    arguments = parser.parse_args()
    rows = [row for row in PRESETS[arguments.preset] if not arguments.only or arguments.only in f"{row.what} {row.net}"]
    found = []
    for row in rows:
        found.append(measured(row, arguments.nets, arguments.rounds, arguments.threads))
        print(line(found[-1]), flush=True)
    if arguments.out:
        arguments.out.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")
        arguments.out.with_suffix(".md").write_text("\n".join([*HEAD, *map(line, found)]) + "\n")
    return 0


def measured(row: Row, nets: Path, rounds: int, threads: int) -> dict[str, Any]:
    """The medians of all that do a row's job."""
    eps = EPS.get(row.net.partition("-")[0], 0.5)
    times: dict[str, list[dict[str, float]]] = {}
    missing: dict[str, str] = {}
    for _ in range(rounds):
        for library in ("advtool", *row.others):
            if library in missing:
                continue
            figures = run(f"{library}:{row.what}", nets / f"{row.net}.safetensors", eps, row.n, threads)
            if isinstance(figures, str):
                missing[library] = figures
            else:
                times.setdefault(library, []).append(figures)
    medians = {
        library: {name: statistics.median(each[name] for each in figures) for name in figures[0]}
        for library, figures in times.items()
    }
    others = [figures["cpu"] for library, figures in medians.items() if library != "advtool"]
    ratio = min(others) / medians["advtool"]["cpu"] if others else None
    about = {"job": row.what, "net": row.net, "n": row.n, "wanted": row.wanted, "ratio": ratio}
    return {**about, "times": medians, "missing": missing}


def run(job: str, net: Path, eps: float, n: int, threads: int) -> dict[str, float] | str:
    """The figures of one process, or why there are none."""
    line = [sys.executable, "-m", "benchmarks.measure", job, str(net), "l2", str(eps), str(n), str(threads)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(line, capture_output=True, text=True, env=environment)
    if done.returncode == MISSING:
        return "is not installed"
    if done.returncode and not job.startswith("advtool:"):
        return f"fails: {done.stderr.splitlines()[-1]}"
    if done.returncode:
        raise SystemExit(f"{job} on {net}:\n{done.stderr}")
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


HEAD = [
    "| job | network | images | advtool | others | times the fastest | wanted |",
    "|---|---|---|---|---|---|---|",
]


def line(found: dict[str, Any]) -> str:
    """A row of the table."""
    times = {library: _shown(figures) for library, figures in found["times"].items()}
    others = [f"{library} {shown}" for library, shown in times.items() if library != "advtool"]
    others += [f"{library} {why}" for library, why in found["missing"].items()]
    ratio = "" if found["ratio"] is None else f"{found['ratio']:.2f}"
    cells = (found["job"], found["net"], found["n"], times["advtool"], "; ".join(others), ratio, found["wanted"] or "")
    return "| " + " | ".join(map(str, cells)) + " |"


def _shown(figures: dict[str, float]) -> str:
    strength = ", ".join(f"{figures[name]:.3g} {name}" for name in ("stand", "distance", "loss") if figures.get(name))
    return f"{figures['cpu']:.2f} s ({strength})"


if __name__ == "__main__":
    sys.exit(main())
