"""Cells of a paper's tables: collected from reports, and shown beside what was published.

cells.py add PAPER ITEM ROW REPORT.json      every accuracy of a report of ``eval``
cells.py value PAPER ITEM CELL PATH REPORT   one number of any report
cells.py read PATH REPORT                    the number alone
cells.py show PAPER ITEM                     the table, and recipes/results/PAPER-ITEM-SCALE.jsonl
"""

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
STUDENT = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}
"""Quantile 0.975 of Student's t for the mean of so many."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("add", "value", "read", "show"))
    parser.add_argument("paper")
    parser.add_argument("item")
    parser.add_argument("more", nargs="*")
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--seconds", type=int)
    parser.add_argument("--with", dest="fields", action="append", default=[], metavar="NAME=VALUE", help="for figures")
    asked = parser.parse_args()
    if asked.what == "read":
        print(value(json.loads(Path(asked.item).read_text()), asked.paper)[0])
        return
    kept = asked.root / asked.paper / f"{asked.item}.cells.jsonl"
    if asked.what == "show":
        show(asked.paper, asked.item, kept, asked.root, asked.seconds)
        return
    report = json.loads(Path(asked.more[-1]).read_text())
    if asked.what == "add":
        found = list(accuracies(asked.more[0], report))
    else:
        found = [(asked.more[0], *value(report, asked.more[1]))]
    data = report.get("data") or {}
    fields = {name: number(text) for name, _, text in (field.partition("=") for field in asked.fields)}
    with kept.open("a") as file:
        for cell, obtained, interval, n in found:
            about = {"seed": int(os.environ["SEED"]), "data": Path(data.get("source") or "").name, "n": n, **fields}
            file.write(json.dumps({"cell": cell, "obtained": obtained, "ci95": interval, **about}) + "\n")


def number(text: str) -> float | str:
    try:
        top, _, bottom = text.partition("/")
        return float(top) / float(bottom or 1)
    except ValueError:
        return text


def accuracies(row: str, report: dict) -> Any:
    """(cell, accuracy, interval, images) of an evaluation."""
    clean = report["clean"]
    yield f"{row}, clean", clean["accuracy"], clean["ci95"], clean["n"]
    for entry in report["adversarial"]:
        yield f"{row}, {entry['adv']} {entry['eps']:.4g}", entry["accuracy"], entry["ci95"], entry["n"]


def value(report: Any, path: str) -> tuple[float, list[float] | None, int | None]:
    """(number, its interval, how many it is of) at a path such as ``adversarial.0.risk.joint``."""
    around = report
    for part in path.split("."):
        around, report = report, report[int(part)] if isinstance(report, list) else report[part]
    if isinstance(report, dict) and "mean" in report:  # of several trials
        n, deviation = report.get("n", 0), report["sd"]
        half = STUDENT.get(n, 1.96) * deviation / math.sqrt(max(n, 1))
        return report["mean"], [report["mean"] - half, report["mean"] + half], n or None
    around = around if isinstance(around, dict) else {}
    return report, around.get("ci95"), around.get("n")


def show(paper: str, item: str, kept: Path, root: Path, seconds: int | None) -> None:
    published = json.loads((HERE / "published" / f"{paper}.json").read_text()).get(item, {})
    runs: dict[str, dict[int, dict]] = {}
    for line in kept.read_text().splitlines() if kept.exists() else []:
        read = json.loads(line)
        runs.setdefault(read["cell"], {})[read["seed"]] = read
    printed, tolerance = published.get("cells", {}), published.get("tolerance", 0.05)
    rows = [aggregate(cell, list(runs.get(cell, {}).values()), printed.get(cell)) for cell in {**printed, **runs}]
    width = max((len(row["cell"]) for row in rows), default=4)
    scale = os.environ["SCALE"]
    note = "smoke: stand-ins for the data, so that the numbers only show that it runs" if scale == "smoke" else scale
    print(f"{paper} {item}: {published.get('title', '')} ({note})")
    if rows:
        print(f"{'':{width}}  published  obtained  95% interval        difference")
    for row in rows:
        print(f"{row['cell']:{width}}  {shown(row, tolerance)}")
    about = {"scale": os.environ["SCALE"], "seconds": seconds, "machine": machine(), "commit": commit()}
    lines = [json.dumps({"paper": paper, "item": item, **row, **about}) for row in rows if row["obtained"] is not None]
    results = root if os.environ["SCALE"] == "smoke" else Path(os.environ.get("RESULTS", HERE / "results"))
    if lines:
        (results / f"{paper}-{item}-{scale}.jsonl").write_text("\n".join(lines) + "\n")


def aggregate(cell: str, runs: list[dict], published: float | None) -> dict:
    """The mean of the seeds, with its interval over them; of one seed that over the images."""
    found = {"cell": cell, "published": published, "obtained": None, "ci95": None, "n": None, "seeds": len(runs)}
    if not runs:
        return found
    values = [run["obtained"] for run in runs]
    mean, interval = statistics.mean(values), runs[0]["ci95"]
    if len(values) > 1:
        half = STUDENT.get(len(values), 1.96) * statistics.stdev(values) / math.sqrt(len(values))
        interval = [mean - half, mean + half]
    return {**found, "obtained": mean, "ci95": interval, "n": runs[0]["n"], "data": runs[0]["data"]}


def shown(row: dict, tolerance: float) -> str:
    published, obtained = row["published"], row["obtained"]
    cells = [" " * 9 if published is None else f"{published:9.4f}", " " * 8 if obtained is None else f"{obtained:8.4f}"]
    cells.append(f"{row['ci95'][0]:8.4f} {row['ci95'][1]:8.4f}" if row["ci95"] else " " * 17)
    if None not in (published, obtained):
        difference = obtained - published
        within = abs(difference) <= tolerance or (row["ci95"] and row["ci95"][0] <= published <= row["ci95"][1])
        cells.append(f"  {difference:+.4f}  {'within' if within else 'beyond'} {tolerance:g}")
    return "  ".join(cells)


def machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}"


def commit() -> str | None:
    line = ["git", "-C", str(HERE), "rev-parse", "--short", "HEAD"]
    return subprocess.run(line, capture_output=True, text=True).stdout.strip() or None


if __name__ == "__main__":
    sys.exit(main())
