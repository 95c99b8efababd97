"""Training that came to numbers which are none."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from advtool.errors import AdvtoolError


class Diverged(AdvtoolError):
    """It stops at once; what was kept of the epochs before is as good as it was.

    Attributes
    ----------
    epoch, step : where, counted from 1
    """

    def __init__(self, epoch: int, step: int, what: str):
        super().__init__(f"training diverged in epoch {epoch}, step {step}: {what}")
        self.epoch, self.step = epoch, step


@contextmanager
def finite_logits(epoch: int, step: int) -> Iterator[None]:
    """Say where it was that a model which is attacked or measured returned logits that are not finite."""
    try:
        yield
    except Diverged:
        raise
    except AdvtoolError as error:
        raise Diverged(epoch, step, str(error)) from error


def check_loss(loss: float, epoch: int, step: int) -> None:
    """Raise Diverged unless it is a number."""
    if not math.isfinite(loss):
        raise Diverged(epoch, step, f"the loss is {'NaN' if math.isnan(loss) else 'infinite'}")


def check_weights(net: nn.Module, epoch: int, step: int) -> None:
    """Raise Diverged unless all weights and statistics are numbers: a last step is not followed by another loss."""
    for name, value in net.state_dict().items():
        if value.is_floating_point() and not value.isfinite().all():
            raise Diverged(epoch, step, f"{name} is not finite")
