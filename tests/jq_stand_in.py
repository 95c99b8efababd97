"""What the documentation asks of jq, for machines that have none."""

import json
import sys
from pathlib import Path

FILTERS = {
    ".adversarial[] | [.eps, .accuracy, .ci95]": lambda report: [
        [entry["eps"], entry["accuracy"], entry["ci95"]] for entry in report["adversarial"]
    ],
    ".adversarial[].accuracy": lambda report: [entry["accuracy"] for entry in report["adversarial"]],
    ".adversarial[].risk": lambda report: [entry["risk"] for entry in report["adversarial"]],
    ".adversarial[0].accuracy": lambda report: [report["adversarial"][0]["accuracy"]],
    "map(.adversarial[0].accuracy) | add / length": lambda reports: [
        sum(report["adversarial"][0]["accuracy"] for report in reports) / len(reports)
    ],
}
"""Values that each filter makes of an input."""

if __name__ == "__main__":
    flag, wanted, *files = sys.argv[1:]
    lines = [json.loads(line) for line in (Path(files[0]).read_text() if files else sys.stdin.read()).splitlines()]
    for document in [lines] if flag == "-s" else lines:
        for value in FILTERS[wanted](document):
            print(json.dumps(value, separators=(",", ":")))
