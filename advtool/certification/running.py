"""The certification of one model under noise of one size, which is fed the images and then gives the report."""

import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from advtool import keyed
from advtool.certification.binomial import answers
from advtool.certification.bracket import Adversary
from advtool.certification.plan import Certification
from advtool.certification.record import Certified, CertifiedFile
from advtool.certification.report import described
from advtool.certification.votes import OnGrid, Voters, on_grid
from advtool.data.arrays import Images
from advtool.data.matching import Matching
from advtool.device import Settings
from advtool.errors import AdvtoolError
from advtool.evaluation.batch import Indexed, Progress, predictions, unseen
from advtool.evaluation.running import Subject, in_order
from advtool.evaluation.sample_record import fingerprint
from advtool.memory import keep_freed
from advtool.prepared import untouched


class Contradiction(AdvtoolError):
    """Another answer was found within a certified radius."""

    def __init__(self, key: str, radius: float, distance: float, alpha: float):
        super().__init__(
            f"{key}: contradiction: certified within {radius:.4g}, and another answer was found at {distance:.4g};"
            f" by chance that happens to {alpha:g} of the images at most"
        )


class Certifying:
    """What is certified of one model so far.

    Parameters
    ----------
    sigma : standard deviation of the noise, on the [0, 1] pixel scale
    n : number of all images, of which `Certification.family` needs to know
    per_sample : JSON lines to write what is guaranteed for each image to

    Raises
    ------
    UsageError
        if one of the radii asked about cannot be certified
    AdvtoolError
        if `per_sample` cannot be written or is of another run
    """

    def __init__(
        self,
        plan: Certification,
        subject: Subject,
        sigma: float,
        settings: Settings,
        *,
        n: int | None = None,
        per_sample: str | Path | None = None,
    ):
        self._plan, self._subject, self._sigma, self._settings = plan, subject, sigma, settings
        self._own = plan.among(n or 1)
        self._sampling = self._own.sampling(sigma)
        self._record: CertifiedFile | None = None
        if per_sample is not None:
            named = {"command": "certify", "sha256": subject.digest(), "sigma": sigma, "seed": settings.seed}
            radii = None if plan.radii is None else list(plan.radii)
            of_images = {"images": n} if plan.family else {}
            run = {**named, **plan.to_json(), "radii": radii, "predict": plan.predict, **of_images}
            run |= {"bracket": True} if plan.bracket else {}
            self._record = CertifiedFile(per_sample, [run])
        self._found: list[Certified] = []
        self._seconds, self._clean, self._margin, self._moved = 0.0, 0, 0.0, 0.0
        self._images: Images | None = None
        self._matching: Matching | None = None
        self._model: nn.Module = subject.model
        self._classes = 0

    def add(self, images: Images, progress: Progress = unseen) -> None:
        """Certify some of the images.

        Raises
        ------
        AdvtoolError
            if the model does not take the images or know their classes, or its logits are not finite
        """
        started = time.perf_counter()
        if self._images is None:
            told = f"{images.name} and {self._subject.name}"
            self._model, self._matching = in_order(self._subject, images.head.classes, told)
        self._images, self._classes = images, max(self._classes, images.head.num_classes)
        ids, pixels = keyed.ids_of(images.keys).tolist(), torch.from_numpy(images.pixels)
        settings = self._settings
        keep_freed()
        with untouched(self._model), torch.inference_mode():
            indexed = Indexed(images, settings)
            self._clean += int((predictions(self._model, indexed) == indexed.labels).sum())
            voters = Voters(self._model, self._sigma, settings.device, settings.batch_size, settings.seed)
            for place, id_ in enumerate(ids):
                self._found.append(self._certified(images, place, pixels[place], voters, id_))
                progress(1)
        self._seconds += time.perf_counter() - started

    def report(self) -> dict[str, Any]:
        """The report on all that was added."""
        assert self._images is not None
        return described(
            self._plan,
            self._subject,
            self._images,
            self._found,
            sigma=self._sigma,
            clean=self._clean,
            classes=self._classes,
            matching=self._matching,
            margin=self._margin,
            moved=self._moved,
            settings=self._settings,
            seconds=self._seconds,
        )

    def _certified(self, images: Images, place: int, pixels: Tensor, voters: Voters, id_: int) -> Certified:
        """What is guaranteed for one image, from the file or by drawing."""
        image = on_grid(pixels)
        margin = voters.noise(image.levels).margin(image.steps.numel())
        self._margin, self._moved = max(self._margin, margin), max(self._moved, image.moved)
        key, label = images.keys[place], int(images.labels[place])
        print_ = fingerprint(images, place) if self._record is not None else None
        known = self._record.known(key, image=print_) if self._record is not None else None
        if known is not None:
            return known
        make = self._predicted if self._plan.predict else self._bounded
        prediction, radius, p_lower, samples, undecided = make(image, voters, id_, margin)
        distance = None
        if self._plan.bracket and prediction is not None:
            adversary = Adversary(self._model, voters, self._sigma, self._own.alpha, self._settings)
            distance = adversary.nearest(image, prediction, id_)
            if distance is not None and distance < radius:
                raise Contradiction(key, radius, distance, self._own.alpha)
        found = Certified(key, label, prediction, radius, p_lower, samples, distance, undecided, print_)
        if self._record is not None:
            self._record.append([found])
        return found

    def _bounded(
        self, image: OnGrid, voters: Voters, id_: int, margin: float
    ) -> tuple[int | None, float, float, int, bool]:
        """(prediction, radius, lower bound, draws, undecided): CERTIFY of Cohen et al. 2019, appendix B."""
        plan, rule = self._own, self._sampling.rule(margin, image.moved)
        best = int(voters.votes(image, id_, "choose", 0, plan.n0).argmax())
        hits = n = 0
        for end in self._sampling.looks():
            hits += int(voters.votes(image, id_, "certify", n, end - n)[best])
            n = end
            bound = rule.look(hits, n)
            if bound is not None:
                break
        assert bound is not None
        if bound.radius is None:
            return None, 0.0, bound.p_lower, plan.n0 + n, bound.undecided
        return best, bound.radius, bound.p_lower, plan.n0 + n, bound.undecided

    def _predicted(
        self, image: OnGrid, voters: Voters, id_: int, margin: float
    ) -> tuple[int | None, float, float, int, bool]:
        """The same of PREDICT, which certifies no radius."""
        votes = voters.votes(image, id_, "predict", 0, self._own.samples)
        (first, second), (best, _) = (found.tolist() for found in votes.topk(2))
        answered = answers(first, second, self._own.alpha)
        return (best if answered else None), 0.0, 0.5 if answered else 0.0, self._own.samples, False
