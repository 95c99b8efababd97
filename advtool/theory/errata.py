"""What the papers print, what is right, and why: read from ``errata.toml`` beside this file."""

import tomllib
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True)
class Erratum:
    """One erratum: its id, its place in the paper, what is printed, what is right, and why (with a number to check)."""

    id: str
    place: str
    printed: str
    right: str
    why: str


_MODELS = tomllib.loads(files("advtool.theory").joinpath("errata.toml").read_text("utf-8"))
PAPERS: dict[str, str] = {model: entry["paper"] for model, entry in _MODELS.items()}
ERRATA: dict[str, tuple[Erratum, ...]] = {
    model: tuple(Erratum(**fields) for fields in entry["errata"]) for model, entry in _MODELS.items()
}
