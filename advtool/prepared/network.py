"""What attacks see of a model: a fast way to its gradients, and the model itself, which has the last word."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from advtool.errors import AdvtoolError
from advtool.memory import keep_freed
from advtool.models.classifier import Classifier
from advtool.models.ensemble import Ensemble
from advtool.prepared.folding import Folded
from advtool.prepared.untouched import untouched

_AS_GOOD = {torch.float32: 1e-3, torch.bfloat16: 0.1}
"""How far the logits of a prepared network may be off, as a share of the largest."""


LIKE = 8
"""How many images a prepared network is compared with the model on."""

CALLS = 4
"""How often a model is asked the same, to see whether its answers differ."""


Driver = Callable[[Tensor], Tensor]
Allowed = Callable[[Tensor, Tensor], Tensor]
"""Which of some images N×C×H×W may count as a success, given the labels that they are attacked with: bool, N."""
Made = tuple[Driver, Callable[[], None]]
"""A driver, and what makes it follow the model's weights."""


class Passes(NamedTuple):
    """How many images went through a network, forwards and backwards."""

    forward: int = 0
    backward: int = 0

    def __add__(self, other: object) -> "Passes":
        assert isinstance(other, Passes)
        return Passes(self.forward + other.forward, self.backward + other.backward)

    def __sub__(self, other: "Passes") -> "Passes":
        return Passes(self.forward - other.forward, self.backward - other.backward)


class Network(nn.Module):
    """A model in eval mode, driven by a faster copy if there is one. Calling it gives the logits that drive an attack.

    Parameters
    ----------
    exact : the model, whose float32 logits decide what is a success
    driver : from pixels in [0, 1], N×C×H×W, to nearly the same logits; None for the model itself
    refresh : makes the driver follow the model's weights
    approximate : the driver is not the model itself, so that what it finds has to be confirmed
    whole : the images of a batch depend on each other, so that none of them can leave it
    random : two identical calls differ; None if that is not known

    Attributes
    ----------
    calls : of how many calls attacks take the mean gradient
    parts : of an ensemble whose losses are averaged the networks of its members
    passes : what went through the driver and the model so far
    """

    def __init__(
        self,
        exact: nn.Module,
        driver: Driver | None = None,
        refresh: Callable[[], None] = lambda: None,
        *,
        approximate: bool = False,
        whole: bool = False,
        random: bool | None = None,
    ):
        super().__init__()
        self.approximate, self.whole, self.random, self.calls = approximate, whole, random, 1
        self.passes, self.parts = Passes(), tuple[Network, ...]()
        self._exact, self._driver, self.refresh = (exact,), driver or exact, refresh
        self._finite: Tensor | None = None
        self._allowed: Allowed | None = None

    @contextmanager
    def held_to(self, allowed: Allowed) -> Iterator[None]:
        """For as long as this lasts, what is not allowed is no success of any attack."""
        self._allowed = allowed
        try:
            yield
        finally:
            self._allowed = None

    @contextmanager
    def averaging(self, calls: int, like: Tensor) -> Iterator[None]:
        """For as long as this lasts, gradients are means of so many calls (EOT), where calls on images N×C×H×W differ.

        Athalye et al. 2018, https://arxiv.org/abs/1707.07397.
        """
        if calls > 1 and self.random is None:
            self.random = differs(self.exact, like[:LIKE])
        self.calls = calls if self.random else 1
        try:
            yield
        finally:
            self.calls = 1

    def counted(self, success: Tensor, x: Tensor, labels: Tensor, by_chance: bool = False) -> Tensor:
        """Those of the successes, bool, N, that are allowed to count, of images N×C×H×W attacked with these labels.

        Parameters
        ----------
        by_chance : those of a single call of a random model count too
        """
        if self.random and not by_chance:
            return torch.zeros_like(success)
        return success if self._allowed is None else success & self._allowed(x, labels)

    @property
    def averages(self) -> bool:
        """Whether losses and gradients are means of several calls, so that it matters which loss they are of."""
        return bool(self.random or self.parts)

    @property
    def exact(self) -> nn.Module:
        """The model itself."""
        return self._exact[0]

    def forward(self, x: Tensor) -> Tensor:
        """Logits in float32 or float64, N×K. Whether they were finite is found out by `check`, without waiting here."""
        self.passes += Passes(forward=len(x))
        logits = in_full(self._driver(x))
        finite = logits.detach().isfinite().all()
        self._finite = finite if self._finite is None else self._finite & finite
        return logits

    def check(self) -> None:
        """Raise AdvtoolError if logits have not been finite since the last time."""
        for part in self.parts:
            part.check()
        finite, self._finite = self._finite, None
        if finite is not None and not finite:
            raise not_finite()


def in_full(logits: Tensor) -> Tensor:
    """In float32, or float64 if that is what they are in."""
    return logits if logits.dtype == torch.float64 else logits.float()


def not_finite() -> AdvtoolError:
    return AdvtoolError("the model returns logits that are not finite")


def prepare(
    model: nn.Module, like: Tensor, amp: bool = False, *, part: Driver | None = None, layer: str | None = None
) -> Network:
    """The network of a model, made for images like these.

    A model that cannot be folded is driven in bfloat16 by autocast, or as it is. The model is left as it was found.

    Parameters
    ----------
    like : a few images, N×C×H×W in [0, 1], on which every way to drive the model is compared with the model
    amp : drive it in bfloat16
    part : what is wanted of the model instead of its logits, N×D
    layer : the module that this is the output of; ``""`` for the input of the last fully connected one
    """
    if isinstance(model, Network):
        return model
    if isinstance(model, Ensemble):
        return _together(model, [prepare(member, like, amp) for member in model.members])
    keep_freed()
    whole, dtype, like = part or model, torch.bfloat16 if amp else torch.float32, like[:LIKE].detach()
    with torch.inference_mode(False), untouched(model):
        like = like.clone()
        with torch.no_grad():
            wanted = in_full(whole(like))
            if like.device.type != "meta":
                if differs(whole, like, wanted):
                    return Network(model, whole, random=True)
                if _depend_on_each_other(whole, like, wanted):
                    return Network(model, whole, whole=True, random=False)
        for make in (lambda: _folded(model, dtype, tuple(like.shape[1:]), layer), lambda: _autocast(whole, dtype)):
            try:
                driver, refresh = make()
                if _is_as_good(driver, like, wanted, _AS_GOOD[dtype]):
                    return Network(model, driver, refresh, approximate=True, random=False)
            except Exception:  # whatever stands in the way of a copy, or of its being rewritten
                continue
    return Network(model, whole, random=False)


def plain(model: nn.Module) -> Network:
    """The network of a model that is driven as it is."""
    if isinstance(model, Ensemble):
        return _together(model, [plain(member) for member in model.members])
    return model if isinstance(model, Network) else Network(model)


def _together(model: Ensemble, members: Sequence[Network]) -> Network:
    """The network of an ensemble, driven by those of its members."""

    def refresh() -> None:
        for member in members:
            member.refresh()

    random = [member.random for member in members]
    found = Network(
        model,
        lambda x: torch.stack([member(x) for member in members]).mean(0),
        refresh,
        approximate=any(member.approximate for member in members),
        whole=any(member.whole for member in members),
        random=True if True in random else None if None in random else False,
    )
    found.parts = tuple(members) if model.losses else ()
    return found


def exact(model: nn.Module) -> nn.Module:
    """The model itself, of a model or of its network."""
    return model.exact if isinstance(model, Network) else model


def _folded(model: nn.Module, dtype: torch.dtype, shape: tuple[int, ...], layer: str | None) -> Made:
    """By a folded copy; what comes before the network of a `Classifier` stays in float32."""
    inner, normalised = (model.net, model.normalised) if isinstance(model, Classifier) else (model, nn.Identity())
    folded = Folded(inner, dtype, shape, layer)
    if dtype == torch.float32 and not (folded.folds or folded.fused):
        raise ValueError("nothing is gained")

    def drive(x: Tensor) -> Tensor:
        found: Tensor = folded(normalised(x).to(dtype=dtype, memory_format=torch.channels_last))
        return found if layer is None else found.flatten(1)

    return drive, folded.refresh


def _autocast(model: Driver, dtype: torch.dtype) -> Made:
    """By the model itself, its layers in another precision."""
    if dtype == torch.float32:
        raise ValueError("nothing is gained")

    def drive(x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, dtype):
            found = model(x)
        return found

    return drive, lambda: None


@torch.no_grad()
def differs(model: Driver, x: Tensor, logits: Tensor | None = None) -> bool:
    """Whether identical calls differ, by more than rounding: of a few, since what is drawn may be the same in two.

    Parameters
    ----------
    logits : what one call gave, N×K
    """
    if not len(x):
        return False
    first = in_full(model(x)) if logits is None else logits
    calls = (in_full(model(x)) for _ in range(CALLS - 1))
    return any(bool((first - other).abs().amax() > 1e-5 * first.abs().amax()) for other in calls)


def _depend_on_each_other(model: Driver, like: Tensor, logits: Tensor) -> bool:
    """Whether the images of a batch do, as where BatchNorm takes the batch's statistics."""
    few = len(like) // 2
    if few < 2:
        return False
    apart = in_full(model(like[:few]))
    return bool((apart - logits[:few]).abs().amax() > 1e-3 * logits.abs().amax())


def _is_as_good(driver: Driver, like: Tensor, wanted: Tensor, tolerance: float) -> bool:
    """Whether a driver gives nearly the logits wanted, and a gradient."""
    with torch.enable_grad():
        x = like.clone().requires_grad_(True)
        found = in_full(driver(x))
        (gradient,) = torch.autograd.grad(found.sum(), x)
    if like.device.type == "meta":
        return True
    near = (found - wanted).abs().amax() <= tolerance * wanted.abs().amax()
    return bool(near & gradient.isfinite().all())
