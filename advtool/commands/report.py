"""The report of an evaluation as a table."""

from pathlib import Path

from advtool.cli import console


def show(report: dict, to_stderr: bool = False) -> None:
    """A report as a table."""
    rows = []
    for threat, attack, entry in _lines(report):
        rows.append([threat, attack, *_cells(entry)])
        for row in entry.get("breakdown", []) if entry.get("attack") != "pgd" else []:
            rows.append(["", f"  {_named(row)}", f"-{row['broken']:,}", "", f"of {row['attacked']:,}"])
    checkpoint = report["checkpoint"]
    title = f"{checkpoint['path']} ({checkpoint['arch']}) on {_data(report)}"
    console.show_table(title, ["threat", "attack", "accuracy", "95% interval", "correct"], rows, to_stderr)
    if found := report.get("distances"):
        median = "none" if found["median"] is None else f"{found['median']:.4g}"
        mean = "" if found["mean"] is None else f", mean {found['mean']:.4g} of {found['found']:,}"
        console.line(f"distance to the nearest adversarial example: median {median}{mean}")


def compare(reports: list[dict]) -> None:
    """Reports on several checkpoints as one table: a row per threat, a column per checkpoint."""
    paths = [report["checkpoint"]["path"] for report in reports]
    short = [Path(path).name.removesuffix(".safetensors") for path in paths]
    names = short if len({*short}) == len(short) else paths
    rows: dict[tuple[str, str], list[str]] = {}
    for column, report in enumerate(reports):
        for threat, attack, entry in _lines(report):
            cells = rows.setdefault((threat, attack), [""] * len(reports))
            cells[column] = f"{100 * entry['accuracy']:.2f}%"
    table = [[threat, attack, *cells] for (threat, attack), cells in rows.items()]
    console.show_table(f"accuracy on {_data(reports[0])}", ["threat", "attack", *names], table)


def _lines(report: dict) -> list[tuple[str, str, dict]]:
    """(threat, attack, entry with an accuracy), one for each line of a report."""
    lines = [("clean", "", report["clean"])]
    for entry in report["adversarial"]:
        restarts = f" ×{entry['restarts']}" if entry["restarts"] > 1 else ""
        name = f"pgd-{entry['steps']}{restarts}" if entry["attack"] == "pgd" else entry["ensemble"] or entry["attack"]
        lines.append((f"{entry['adv']} {entry['eps']:.4g}", name, entry))
    if "union" in report:
        lines.append(("under all", "", report["union"]))
    lines += [(f"targeted: {name}", "", entry) for name, entry in report.get("targeted", {}).items()]
    return lines


def _named(row: dict) -> str:
    """An attack of an ensemble with its steps."""
    steps = "" if row["steps"] is None else f"-{row['steps']}"
    restarts = f" ×{row['restarts']}" if (row["restarts"] or 1) > 1 else ""
    return f"{row['attack']}{steps}{restarts}"


def _data(report: dict) -> str:
    data = report["data"]
    split, made = f" {data['split']}" if data["split"] else "", data.get("adversarial")
    return f"{data['source']}{split}, {data['n']:,} images" + (f", adversarial ({_made(made)})" if made else "")


def _made(attack: dict) -> str:
    """How adversarial images were made."""
    goal = ", targeted" if attack["targeted"] else ""
    return f"{attack['attack']} {attack['adv']}" + (f" {attack['eps']:.4g}" if attack["eps"] else "") + goal


def _cells(entry: dict) -> list[str]:
    low, high = entry["ci95"]
    return [
        f"{100 * entry['accuracy']:.2f}%",
        f"{100 * low:.1f}–{100 * high:.1f}%",
        f"{entry['correct']:,}/{entry['n']:,}",
    ]
