"""The attacks by name, behind one signature, for whoever takes the name from a user."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from advtool.attacks.apgd import apgd, apgd_t
from advtool.attacks.ball import BALLS, contain
from advtool.attacks.cw import cw
from advtool.attacks.ddn import ddn
from advtool.attacks.fab import fab
from advtool.attacks.fgsm import fgsm
from advtool.attacks.pgd import pgd
from advtool.attacks.square import square
from advtool.errors import UsageError, unknown
from advtool.threat import NORMS, Threat

AUTOATTACK = ("apgd-ce", "apgd-t", "fab-t", "square")
"""The standard ensemble of Croce and Hein 2020 (https://arxiv.org/abs/2003.01690), in its order."""


@dataclass(frozen=True)
class Request:
    """What an attack is asked to do; None leaves a choice to the attack.

    Attributes
    ----------
    norm, eps : the ball, eps on the [0, 1] pixel scale. Without eps, attacks that look for the smallest
        perturbation return it whatever its size; the others need one
    steps : gradient steps, or queries for ``square``
    step_size, random_start : of ``pgd``
    restarts : runs of attacks with a random start
    loss : of ``apgd``
    targeted : labels are targets
    keep : iterate of ``pgd`` to return; by default the last one if targeted, as the datasets of Ilyas et al. 2019
        are made, else the best
    """

    norm: str
    eps: float | None
    steps: int | None = None
    step_size: float | None = None
    random_start: bool | None = None
    restarts: int = 1
    loss: str | None = None
    targeted: bool = False
    seed: int = 0
    amp: bool = False
    keep: str | None = None


@dataclass(frozen=True)
class Attack:
    """An attack of the registry.

    Attributes
    ----------
    norms : those it can be asked for
    steps : its default number of steps
    minimal : whether it looks for the smallest perturbation rather than for one in a ball
    gradients : whether it uses any
    targeted : whether it can push towards a label
    """

    name: str
    run: Callable[[nn.Module, Tensor, Tensor, Request, Tensor], Tensor]
    steps: int
    norms: tuple[str, ...] = NORMS
    minimal: bool = False
    gradients: bool = True
    targeted: bool = True

    def check(self, request: Request) -> None:
        """Raise UsageError if the attack cannot do what is asked."""
        if request.norm not in self.norms:
            raise UsageError(f"--attack {self.name}: only for --adv {' or '.join(self.norms)}")
        if request.targeted and not self.targeted:
            raise UsageError(f"--attack {self.name}: has no targeted mode")
        if request.eps is None and not self.minimal:
            raise UsageError(f"--attack {self.name} needs --eps")
        if request.loss and self.name != "apgd":
            raise UsageError("--loss is for --attack apgd")

    def __call__(self, model: nn.Module, inputs: Tensor, labels: Tensor, request: Request, ids: Tensor) -> Tensor:
        """Attack a batch; what comes back is within eps, where there is one.

        A smallest perturbation that is larger than eps is shortened to it, and so is no success.
        """
        adversarial = self.run(model, inputs, labels, request, ids)
        if request.eps is None or not self.minimal:
            return adversarial
        ball = BALLS[request.norm]
        delta = adversarial - inputs
        inside = (inputs + ball.project(delta, request.eps)).clamp(0, 1) if request.eps > 0 else inputs
        return contain(ball, inside, inputs, request.eps)


def get(name: str) -> Attack:
    """The attack of that name.

    Raises
    ------
    UsageError
        if there is none
    """
    if name not in ATTACKS:
        raise unknown("--attack", name, (*ATTACKS, "autoattack"))
    return ATTACKS[name]


def ensemble(names: str) -> tuple[Attack, ...]:
    """The attacks of a comma-separated list; ``autoattack`` stands for the four of the standard ensemble."""
    listed = [part for name in names.split(",") for part in (AUTOATTACK if name == "autoattack" else (name,))]
    return tuple(get(name) for name in listed)


def _fgsm(model, inputs, labels, request, ids):
    options = {"random_start": bool(request.random_start), "ids": ids, "seed": request.seed, "amp": request.amp}
    return fgsm(model, inputs, labels, request.norm, request.eps, targeted=request.targeted, **options)


def _pgd(model, inputs, labels, request, ids):
    threat = Threat.evaluation(
        request.norm, request.eps, request.steps, request.step_size, request.random_start, request.restarts
    )
    options = {"keep": request.keep or ("last" if request.targeted else "best"), "ids": ids, "seed": request.seed}
    return pgd(model, inputs, labels, threat, targeted=request.targeted, amp=request.amp, **options)


def _apgd(loss: str | None):
    def run(model, inputs, labels, request, ids):
        options = {"steps": request.steps or 100, "restarts": request.restarts, "targeted": request.targeted}
        options |= {"loss": loss or request.loss or "ce", "ids": ids, "seed": request.seed, "amp": request.amp}
        return apgd(model, inputs, labels, request.norm, request.eps, **options)

    return run


def _apgd_t(model, inputs, labels, request, ids):
    options = {"steps": request.steps or 100, "restarts": request.restarts, "ids": ids, "seed": request.seed}
    return apgd_t(model, inputs, labels, request.norm, request.eps, amp=request.amp, **options)


def _fab(model, inputs, labels, request, ids):
    options = {"steps": request.steps or 100, "restarts": request.restarts, "targeted": request.targeted}
    options |= {"ids": ids, "seed": request.seed, "amp": request.amp}
    return fab(model, inputs, labels, request.norm, eps=request.eps, stop_at_eps=request.eps is not None, **options)


def _cw(model, inputs, labels, request, ids):
    return cw(model, inputs, labels, targeted=request.targeted, steps=request.steps or 1000, amp=request.amp)


def _ddn(model, inputs, labels, request, ids):
    return ddn(model, inputs, labels, targeted=request.targeted, steps=request.steps or 1000, amp=request.amp)


def _square(model, inputs, labels, request, ids):
    options = {"queries": request.steps or 5000, "restarts": request.restarts, "targeted": request.targeted}
    options |= {"ids": ids, "seed": request.seed, "amp": request.amp}
    return square(model, inputs, labels, request.norm, request.eps, **options)


ATTACKS = {
    attack.name: attack
    for attack in (
        Attack("fgsm", _fgsm, 1),
        Attack("pgd", _pgd, 50),
        Attack("apgd", _apgd(None), 100),
        Attack("apgd-ce", _apgd("ce"), 100),
        Attack("apgd-dlr", _apgd("dlr"), 100),
        Attack("apgd-t", _apgd_t, 100, targeted=False),
        Attack("cw", _cw, 1000, norms=("l2",), minimal=True),
        Attack("ddn", _ddn, 1000, norms=("l2",), minimal=True),
        Attack("fab", _fab, 100, minimal=True),
        Attack("fab-t", _fab, 100, minimal=True),
        Attack("square", _square, 5000, gradients=False),
    )
}
