"""What a cascade knows of each image from earlier runs, and tells later ones."""

import hashlib
import json
import math
from collections.abc import Iterator, Sequence

from torch import Tensor

from advtool.data.arrays import Images
from advtool.errors import AdvtoolError
from advtool.evaluation.cascade import CLEAN, STANDS, Fates
from advtool.evaluation.per_sample import PerSampleFile, SampleOutcome
from advtool.registry import Planned


class SampleRecord:
    """A `PerSampleFile` as a cascade uses it.

    Parameters
    ----------
    several : the run has several norms
    unfinished : where what became of images is kept while attacks of an ensemble are still to come
    """

    def __init__(
        self,
        file: PerSampleFile,
        images: Images,
        predictions: Tensor,
        several: bool = False,
        unfinished: PerSampleFile | None = None,
    ):
        self._file, self._images, self._predictions, self._several = file, images, predictions, several
        self._unfinished = unfinished

    def recall(self, places: Tensor, attacks: Sequence[Planned], into: Fates) -> Tensor:
        """Fill in what is known of the images at these places: the places of the others."""
        numbers = {None: STANDS, "clean": CLEAN} | {attack.name: n for n, attack in enumerate(attacks, 1)}
        fresh, (eps, norm) = [], self._threat(attacks)
        for place in places.tolist():
            key, image = self._images.keys[place], self._fingerprint(place)
            outcome = self._file.known(key, eps, image, norm)
            if outcome is None:
                fresh.append(place)
                outcome = self._unfinished.known(key, eps, image, norm) if self._unfinished is not None else None
            if outcome is None:
                continue
            if outcome.broken_by not in numbers or outcome.label != int(self._images.labels[place]):
                raise AdvtoolError(f"{outcome.key}: the record of samples is of other images or attacks")
            into.broken_by[place] = numbers[outcome.broken_by]
            into.distance[place] = math.nan if outcome.distance is None else outcome.distance
            into.survived[place] = outcome.survived or 0
        return places.new_tensor(fresh)

    def note(self, places: Tensor, number: int, attacks: Sequence[Planned], fates: Fates) -> None:
        """The images at these places went through the attack of this number; on disk before this returns."""
        if self._unfinished is not None:
            self._unfinished.append(self._outcomes(places, attacks, fates, number))

    def keep(self, places: Tensor, attacks: Sequence[Planned], fates: Fates) -> None:
        """The images at these places are settled; on disk before this returns."""
        self._file.append(self._outcomes(places, attacks, fates))

    def _outcomes(
        self, places: Tensor, attacks: Sequence[Planned], fates: Fates, survived: int | None = None
    ) -> Iterator[SampleOutcome]:
        names = {STANDS: None, CLEAN: "clean"} | {n: attack.name for n, attack in enumerate(attacks, 1)}
        eps, norm = self._threat(attacks)
        columns = (places, self._predictions[places], fates.broken_by[places], fates.distance[places])
        for place, prediction, broken_by, distance in zip(*(column.tolist() for column in columns), strict=True):
            yield SampleOutcome(
                key=self._images.keys[place],
                label=int(self._images.labels[place]),
                eps=eps,
                prediction=prediction,
                broken_by=names[broken_by],
                distance=None if broken_by == STANDS else distance,
                image=self._fingerprint(place),
                norm=norm,
                survived=survived if broken_by == STANDS else None,
            )

    def _threat(self, attacks: Sequence[Planned]) -> tuple[float | None, str | None]:
        ball = attacks[0].ball
        return ball.eps if ball.is_bounded else None, ball.name if self._several else None

    def _fingerprint(self, place: int) -> str:
        return fingerprint(self._images, place)


def fingerprint(images: Images, place: int) -> str:
    """What image this is, besides its key: its pixels as the model sees them, and what its label means."""
    pixels, label, names = images.pixels[place], int(images.labels[place]), images.head.classes
    if names == tuple(map(str, range(len(names)))):
        names = ()  # as many as there are labels so far, where classes have no names
    about = json.dumps([label, names, str(pixels.dtype), pixels.shape])
    return hashlib.sha256(about.encode() + pixels.tobytes()).hexdigest()[:32]
