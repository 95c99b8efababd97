"""docs/results.md out of recipes/results/*.jsonl: ``python recipes/results.py``.

A sentence on where and why a result differs stands in recipes/results/remarks.json, by PAPER-ITEM-SCALE.
"""

import json
from pathlib import Path

HERE = Path(__file__).parent
PAPERS = {
    "ilyas2019": "Ilyas et al. 2019, adversarial examples are features",
    "tsipras2018": "Tsipras et al. 2018, robustness at odds with accuracy",
    "gaussian": "Trade-off for two Gaussians",
    "collins2019": "Collins et al. 2019, interpretable gradients",
    "suggala2019": "Suggala et al. 2019, adversarial risk",
}
HEAD = """# Results

Every table and figure of the five papers has a script in [recipes/](../recipes/). `SCALE=smoke` runs it in seconds on
data that is always there, `small` in hours on two cores, `paper` with the paper's own settings:

<!-- not run: it takes hours -->
```sh
SCALE=small CIFAR10=cifar10/ MNIST=mnist/ recipes/ilyas2019/table7.sh
SCALE=smoke JOBS=2 recipes/all.sh
```

A second run goes on from what the first one made. What follows is made from `recipes/results/*.jsonl` by
`python recipes/results.py`: accuracies and errors as fractions, intervals of 95% over the seeds, or over the images
where there is one seed. Nothing here was run on a GPU.
"""


def main() -> None:
    target = HERE.parent / "docs" / "results.md"
    target.write_text(page(HERE / "results"))


def page(folder: Path) -> str:
    """The page, of the files in a folder."""
    remarks_file = folder / "remarks.json"
    remarks = json.loads(remarks_file.read_text()) if remarks_file.exists() else {}
    files = {
        path: [json.loads(line) for line in path.read_text().splitlines()] for path in sorted(folder.glob("*.jsonl"))
    }
    parts = [HEAD]
    for paper, title in PAPERS.items():
        mine = {path: rows for path, rows in files.items() if rows and rows[0]["paper"] == paper}
        if mine:
            parts.append(f"## {title}\n")
            parts += [item(rows, remarks.get(path.stem)) for path, rows in mine.items()]
    return "\n".join(parts)


def item(rows: list[dict], remark: str | None) -> str:
    """A table of the cells of one item."""
    first = rows[0]
    published = json.loads((HERE / "published" / f"{first['paper']}.json").read_text())[first["item"]]
    tolerance = published.get("tolerance", 0.05)
    name = first["item"].replace("table", "Table ").replace("figure", "Figure ")
    lines = [
        f"### {name}: {published['title']}\n",
        "| cell | published | obtained | 95% interval | |",
        "|---|---|---|---|---|",
    ]
    lines += [f"| {row['cell']} | {' | '.join(cells(row, tolerance))} |" for row in rows]
    lines.append("")
    about = [f"`recipes/{first['paper']}/{first['item']}.sh`, scale {first['scale']}"]
    data = dict.fromkeys(Path(row["data"].rstrip("/")).name for row in rows if row.get("data"))
    about += [", ".join(data)] if data else []
    seeds = max(row["seeds"] for row in rows)
    about += [f"{seeds} seed{'s' if seeds > 1 else ''}", first["machine"], f"commit {first['commit']}"]
    about += [f"{first['seconds']:,} s in its last run"] if first.get("seconds") else []
    lines.append("; ".join(about) + "." + (f" {remark}" if remark else "") + "\n")
    return "\n".join(lines)


def cells(row: dict, tolerance: float) -> list[str]:
    low, high = row["ci95"] or (None, None)
    found = ["" if row["published"] is None else f"{row['published']:.4f}", f"{row['obtained']:.4f}"]
    found.append("" if low is None else f"{low:.4f} to {high:.4f}")
    if row["published"] is None:
        return [*found, ""]
    within = abs(row["obtained"] - row["published"]) <= tolerance or (
        low is not None and low <= row["published"] <= high
    )
    return [*found, "within" if within else f"{row['obtained'] - row['published']:+.4f}"]


if __name__ == "__main__":
    main()
