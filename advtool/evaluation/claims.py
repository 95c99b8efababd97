"""Checking a claim: a report of ``advtool eval``, and the images that it saved, against the model.

Nothing that the run says is trusted but what it was about: the images are looked at, and the model is asked.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from advtool import bounds, norms
from advtool.attacks.guard import predictions_of
from advtool.ball import precise
from advtool.device import Settings
from advtool.errors import AdvtoolError
from advtool.evaluation.saving import Digest
from advtool.io import images as encoding
from advtool.io.samples import ORIGINAL, Sample
from advtool.prepared import untouched

SLACK = 1e-5
"""By how much of eps a norm may exceed it: what float32 loses between images that were rounded."""


class Refuted(AdvtoolError):
    """A claim that does not hold, by the name of what is wrong."""

    def __init__(self, name: str, detail: str):
        super().__init__(f"refused: {name}: {detail}")
        self.name = name


@dataclass(frozen=True)
class Threat:
    """A radius that a claim is about, and how many images it says stand there."""

    adv: str
    eps: float
    correct: int


@dataclass(frozen=True)
class Claim:
    """What a report says that can be checked.

    Attributes
    ----------
    sha256 : of the checkpoint
    n, clean : images, and how many of them are classified correctly as they are
    threats : each with its radius; several are of one run of attacks that look for the smallest perturbation
    digest : of the images, see `saving.Digest`
    curve : images may lie outside of a radius, where they count as standing
    """

    sha256: str
    n: int
    clean: int
    threats: tuple[Threat, ...]
    digest: str
    curve: bool = False

    @classmethod
    def read(cls, path: str | Path) -> "Claim":
        """A claim from a file; AdvtoolError if that is none."""
        try:
            data = Path(path).read_bytes()
            if len(data) > bounds.JSON_BYTES:
                raise Refuted("claim", f"{path} has {bounds.mib(len(data))}")
            return cls.of(json.loads(data))
        except (ValueError, RecursionError):
            raise Refuted("claim", f"{path} is no report of `advtool eval --json`") from None

    @classmethod
    def of(cls, report: Any) -> "Claim":
        """A claim from a report."""
        try:
            saved, clean = report["saved"], report["clean"]
            threats = tuple(
                Threat(_text(entry["adv"]), float(entry["eps"]), _count(entry["correct"]))
                for entry in report["adversarial"]
            )
            counts = _count(clean["n"]), _count(clean["correct"])
            digest, sha256 = _text(saved["digest"]), _text(report["checkpoint"]["sha256"])
            found = cls(sha256, *counts, threats, digest, curve="distances" in report)
            for entry, threat in zip([clean, *report["adversarial"]], [None, *threats], strict=True):
                right, n = _count(entry["correct"]), _count(entry["n"])
                if n != found.n or not math.isclose(float(entry["accuracy"]), right / n, abs_tol=1e-9):
                    where = f"{threat.adv} {threat.eps:g}" if threat else "clean"
                    raise Refuted(
                        "count", f"{where}: accuracy {entry['accuracy']} is not {right} of {n} in {found.n} images"
                    )
        except (KeyError, TypeError, ValueError, ZeroDivisionError):
            raise Refuted("claim", "is no report of an evaluation that saved its images") from None
        if not threats or any(threat.adv not in norms.NORMS or not threat.eps >= 0 for threat in threats):
            raise Refuted("claim", "has no radius in a norm that there is")
        return found


@dataclass
class Verdict:
    """What was found in images that were looked at."""

    n: int = 0
    clean: int = 0
    standing: list[int] = field(default_factory=list)


def verify(
    claim: Claim,
    model: nn.Module,
    sha256: str,
    samples: Iterable[Sample],
    settings: Settings,
    originals: Mapping[str, tuple[np.ndarray, int]] | None = None,
) -> Verdict:
    """Check a claim against a model and the images that were saved, each of which is looked at once.

    Parameters
    ----------
    sha256 : of the checkpoint that the model is from
    originals : images in [0, 1] and labels by key, of the data that the claim is about; None to take the saved ones

    Raises
    ------
    Refuted
        naming what is wrong: checkpoint, images, range, label, norm, or count
    """
    if sha256 != claim.sha256:
        raise Refuted("checkpoint", f"the claim is about {claim.sha256[:16]}…, this one is {sha256[:16]}…")
    verdict, digest, seen = Verdict(standing=[0] * len(claim.threats)), Digest(), set()
    with untouched(model), torch.no_grad():
        for batch in _batches(samples, settings.batch_size):
            found = [_opened(sample) for sample in batch]
            for key, label, original, adversarial in found:
                if key in seen:
                    raise Refuted("count", f"sample '{key}' is there twice")
                seen.add(key)
                if originals is not None:
                    _compare(key, label, original, originals)
                digest.add(key, label, original, adversarial)
            _look(verdict, claim, model, found, settings)
    if verdict.n != claim.n:
        raise Refuted("count", f"{verdict.n} images, {claim.n} in the claim")
    if digest.hex() != claim.digest:
        raise Refuted("images", "these are not the images that the claim was made with")
    if verdict.clean != claim.clean:
        raise Refuted("count", f"clean: {verdict.clean} of {verdict.n} are right, {claim.clean} in the claim")
    for threat, standing in zip(claim.threats, verdict.standing, strict=True):
        if standing != threat.correct:
            where = f"{threat.adv} {threat.eps:g}"
            raise Refuted("count", f"{where}: {standing} of {verdict.n} stand, {threat.correct} in the claim")
    return verdict


_Opened = tuple[str, int, np.ndarray, np.ndarray]
"""Key, label, the image as it was, what became of it."""


def _opened(sample: Sample) -> _Opened:
    try:
        pair = [encoding.decode(sample.members[name], "npy") for name in (ORIGINAL, "npy")]
    except KeyError as error:
        raise Refuted("images", f"sample '{sample.key}' has no {error.args[0]} member") from None
    except AdvtoolError as error:
        raise Refuted("range", f"sample '{sample.key}': {error}") from None
    for image in pair:
        if image.dtype != np.float32 or not (np.isfinite(image).all() and image.min() >= 0 and image.max() <= 1):
            raise Refuted("range", f"sample '{sample.key}' has values outside of [0, 1]")
    if pair[0].shape != pair[1].shape:
        raise Refuted("images", f"sample '{sample.key}' has another shape than the image that it was")
    try:
        label, facts = sample.label, sample.provenance()
    except AdvtoolError as error:
        raise Refuted("label", str(error)) from None
    if facts.get("original_label", label) != label:
        raise Refuted("label", f"sample '{sample.key}' has label {label}, and was {facts['original_label']}")
    return sample.key, label, pair[0], pair[1]


def _compare(key: str, label: int, original: np.ndarray, originals: Mapping[str, tuple[np.ndarray, int]]) -> None:
    if key not in originals:
        raise Refuted("images", f"sample '{key}' is not in the data")
    image, truth = originals[key]
    if image.shape != original.shape or not np.array_equal(image, original):
        raise Refuted("images", f"sample '{key}' is not the image of the data")
    if label != truth:
        raise Refuted("label", f"sample '{key}' has label {label}, in the data {truth}")


def _look(verdict: Verdict, claim: Claim, model: nn.Module, found: list[_Opened], settings: Settings) -> None:
    """Ask the model about a batch and measure how far its images were moved."""
    pairs = (torch.from_numpy(np.stack([each[place] for each in found])).to(settings.device) for place in (2, 3))
    (original, adversarial), y = tuple(pairs), torch.tensor([label for _, label, _, _ in found])
    clean = predictions_of(model, original).cpu() == y
    right = clean & (predictions_of(model, adversarial).cpu() == y)
    delta = precise(adversarial) - precise(original)
    for index, threat in enumerate(claim.threats):
        norm = norms.ball(threat.adv).norm(delta).cpu()
        outside = norm > threat.eps * (1 + SLACK)
        if len(claim.threats) == 1 and bool(outside.any()):
            place = int(outside.nonzero()[0])
            raise Refuted(
                "norm", f"sample '{found[place][0]}' moved by {float(norm[place]):.6g}, more than {threat.eps:g}"
            )
        verdict.standing[index] += int((right | (clean & outside)).sum())
    verdict.n, verdict.clean = verdict.n + len(found), verdict.clean + int(clean.sum())


def _batches(samples: Iterable[Sample], size: int) -> Iterable[list[Sample]]:
    batch: list[Sample] = []
    for sample in samples:
        batch.append(sample)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(value)
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value
