"""The card of a published model: what its checkpoint and its reports say, and nothing else."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from advtool.io.shape import shape_text
from advtool.models.classifier import ModelSpec
from advtool.visible import bounded, visible

_LONGEST, _SETTINGS = 300, ("objective", "epochs_done", "optimizer", "lr", "schedule", "batch_size", "augment")


def card(name: str, spec: ModelSpec, meta: dict[str, Any], reports: Sequence[dict], licence: str | None) -> str:
    """Markdown with the fields that the Hugging Face Hub reads before it.

    Parameters
    ----------
    meta : of the checkpoint
    reports : of ``eval --json``; the final evaluation that the checkpoint records goes before them
    """
    tested = [metrics] if isinstance(metrics := meta.get("metrics"), dict) and metrics.get("clean") else []
    figures = _figures([*tested, *reports])
    return "\n".join([*_front(licence), f"# {_text(name)}", "", *_model(spec, meta), *figures, *_use(name)])


def _front(licence: str | None) -> Iterator[str]:
    yield "---"
    yield "library_name: advtool"
    yield "pipeline_tag: image-classification"
    yield "tags: [adversarial-robustness]"
    if licence:
        yield f'license: "{_text(licence)}"'
    yield "---"
    yield ""


def _model(spec: ModelSpec, meta: dict[str, Any]) -> Iterator[str]:
    training, data = (found if isinstance(found := meta.get(key), dict) else {} for key in ("training", "data"))
    yield f"- network: {_text(spec.arch)}, images {shape_text(spec.shape)}, {len(spec.classes)} classes"
    if "source" in data:
        yield f"- trained on: {_text(data['source'])}, {_text(data.get('split'))}, {_text(data.get('n'))} images"
    threat = training.get("threat")
    if isinstance(threat, dict):
        norm, eps, steps = (_text(threat.get(key)) for key in ("norm", "eps", "steps"))
        yield f"- against: {norm}, eps {eps}, {steps} steps"
    settings = [f"{key} {_text(training[key])}" for key in _SETTINGS if training.get(key) is not None]
    if settings:
        yield f"- training: {', '.join(settings)}"
    if isinstance(versions := meta.get("versions"), dict):
        yield f"- made with: {', '.join(f'{_text(key)} {_text(value)}' for key, value in versions.items())}"
    yield ""


def _figures(reports: Sequence[dict]) -> Iterator[str]:
    if not reports:
        return
    yield "| data | threat | attack | accuracy | 95% interval | n |"
    yield "|---|---|---|---|---|---|"
    for report in reports:
        data = found if isinstance(found := report.get("data"), dict) else {}
        source = f"{_text(data.get('source'))} {_text(data.get('split') or '')}".strip()
        for entry in _entries(report):
            threat = f"{entry['adv']} {entry.get('eps', 0):.4g}" if "adv" in entry else "clean"
            low, high = (f"{100 * bound:.2f}%" for bound in entry["ci95"])
            accuracy = f"{100 * entry['accuracy']:.2f}%"
            cells = (source, threat, _text(entry.get("attack", "")), accuracy, f"{low} to {high}", str(entry["n"]))
            yield f"| {' | '.join(cells)} |"
    yield ""
    yield "Robust accuracy is an upper bound: it says what these attacks find."
    yield ""


def _entries(report: dict) -> Iterable[dict]:
    return (report["clean"], *(entry for entry in report.get("adversarial", ()) if isinstance(entry, dict)))


def _use(name: str) -> Iterator[str]:
    yield "```python"
    yield "import advtool"
    yield ""
    yield f"model = advtool.load({str(name)!r})  # pixels in [0, 1], N×C×H×W → logits; its normaliser is inside"
    yield "```"
    yield ""
    yield "`model.safetensors` holds plain weights; to use them alone, subtract `mean` and divide by `std` of"
    yield "`config.json` first."
    yield ""


def _text(value: object) -> str:
    """Text from outside on one line, with nothing in it taken for markup of a table."""
    return bounded(visible(str(value)), _LONGEST).replace("|", "\\|").replace('"', "'")
