"""The report of an evaluation as a table."""

from advtool.cli import console


def show(report: dict, to_stderr: bool = False) -> None:
    """A report as a table."""
    data, clean = report["data"], report["clean"]
    rows = [["clean", "", *_cells(clean)]]
    for entry in report["adversarial"]:
        restarts = f" ×{entry['restarts']}" if entry["restarts"] > 1 else ""
        name = f"pgd-{entry['steps']}{restarts}" if entry["attack"] == "pgd" else entry["attack"]
        rows.append([f"{entry['adv']} {entry['eps']:.4g}", name, *_cells(entry)])
        for row in entry.get("breakdown", []) if entry["attack"] != "pgd" else []:
            rows.append(["", f"  {row['attack']}", f"-{row['broken']:,}", "", f"of {row['attacked']:,}"])
    if "targeted" in report:
        rows += [[f"targeted: {name}", "", *_cells(entry)] for name, entry in report["targeted"].items()]
    checkpoint = report["checkpoint"]
    split = f" {data['split']}" if data["split"] else ""
    title = f"{checkpoint['path']} ({checkpoint['arch']}) on {data['source']}{split}, {data['n']:,} images"
    console.show_table(title, ["threat", "attack", "accuracy", "95% interval", "correct"], rows, to_stderr)


def _cells(entry: dict) -> list[str]:
    low, high = entry["ci95"]
    return [
        f"{100 * entry['accuracy']:.2f}%",
        f"{100 * low:.1f}–{100 * high:.1f}%",
        f"{entry['correct']:,}/{entry['n']:,}",
    ]
