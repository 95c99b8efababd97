"""Which attacks on which models fool which others: the matrix of sources and targets."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from advtool import seeds
from advtool.attacks.guard import predictions_of
from advtool.data.arrays import Images
from advtool.device import Settings
from advtool.evaluation.batch import Indexed, Progress, unseen
from advtool.evaluation.statistics import accuracy, wilson
from advtool.prepared import untouched
from advtool.registry import Planned


@dataclass
class Cell:
    """Counts of one target on what was made of one source.

    Attributes
    ----------
    carried : images that the target gives the label that they carry
    fooled : of those that could be, the images that fool the target: see `transfer`
    """

    carried: int = 0
    fooled: int = 0

    def to_json(self, n: int, could: int) -> dict[str, Any]:
        """The cell as the report has it, of `n` images, of which `could` could fool the target."""
        rate = self.fooled / could if could else None
        interval = [round(x, 6) for x in wilson(self.fooled, could)]
        return {
            **accuracy(self.carried, n),
            "fooled": {"rate": rate, "count": self.fooled, "n": could, "ci95": interval},
        }


@dataclass
class Matrix:
    """Counts over all images so far: `cells` by source and target, and of each target before any attack.

    Attributes
    ----------
    clean : images that the target gives the label that they carry, as they are
    """

    n: int
    clean: list[int]
    cells: list[list[Cell]] = field(default_factory=list)
    targeted: bool = False

    def could(self, target: int) -> int:
        """How many images could fool a target."""
        return self.n - self.clean[target] if self.targeted else self.clean[target]

    def clean_json(self, target: int) -> dict[str, Any]:
        """How many images a target gives the label that they carry, as they are."""
        return accuracy(self.clean[target], self.n)

    def to_json(self, source: int, target: int) -> dict[str, Any]:
        """A cell as the report has it."""
        return self.cells[source][target].to_json(self.n, self.could(target))


def transfer(
    sources: Sequence[nn.Module],
    targets: Sequence[nn.Module],
    parts: Iterable[Images],
    attack: Planned,
    settings: Settings,
    progress: Progress = unseen,
) -> Matrix:
    """Attack every source on all images and show the results to every target.

    A target is fooled by an image that it classified correctly and no longer does; where the attack is targeted, by one
    that it did not give the label that the image carries, and now does.

    Parameters
    ----------
    sources, targets : take pixels in [0, 1], N×C×H×W, return logits of the images' classes; left as they were found
    parts : the images, in parts that fit into memory
    progress : called with the number of images that a source was attacked on

    Raises
    ------
    AdvtoolError
        if a model returns logits that are not finite
    """
    cells = [[Cell() for _ in targets] for _ in sources]
    found = Matrix(0, [0] * len(targets), cells, attack.targeted)
    for images in parts:
        _add(found, sources, targets, Indexed(images, settings), attack, settings, progress)
    return found


def _add(
    found: Matrix,
    sources: Sequence[nn.Module],
    targets: Sequence[nn.Module],
    images: Indexed,
    attack: Planned,
    settings: Settings,
    progress: Progress,
) -> None:
    """Count some of the images."""
    everywhere, seed = torch.arange(len(images)), seeds.derive(settings.seed, "evaluation")
    before: list[list[torch.Tensor]] = []
    for _, (x, y, _) in images.batches(everywhere):
        before.append([_carried(target, x, y) for target in targets])
    found.n += len(images)
    for column in range(len(targets)):
        found.clean[column] += sum(int(batch[column].sum()) for batch in before)
    for row, source in enumerate(sources):
        with untouched(source):
            network = images.prepared(source)
            for number, (_, (x, y, ids)) in enumerate(images.batches(everywhere)):
                made = attack(network, x, y, ids=ids, seed=seed)
                for column, target in enumerate(targets):
                    now, then = _carried(target, made, y), before[number][column]
                    cell = found.cells[row][column]
                    cell.carried += int(now.sum())
                    cell.fooled += int((now & ~then if attack.targeted else then & ~now).sum())
                progress(len(x))


def _carried(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Whether the model gives each image the label that it carries: bool, N."""
    with untouched(model):
        return predictions_of(model, x) == y
