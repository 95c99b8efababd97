"""What a training run does: every setting, resolved."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from advtool.errors import UsageError
from advtool.norms import check_radius
from advtool.options import declarations
from advtool.threat import Threat
from advtool.training.kinds import OBJECTIVES
from advtool.training.options import UNIONS, Kept, Objective, Optimisation, Training
from advtool.training.recipes import REPLAYS, default_epochs, recipe
from advtool.values import plain

EMA_DECAY = 0.999


@dataclass(frozen=True, kw_only=True)
class TrainConfig(Objective, Optimisation, Kept):
    """Settings of a training run, all of them decided; see the groups for what they mean.

    Attributes
    ----------
    epochs : passes over the data, of which ``free`` makes as many fewer as it replays each batch
    threats : what the adversary may do, of several norms one each; empty for standard training
    union : of several, ``random``: one of them for each batch; ``worst``: all, and the worst for each image
    seed : of initialisation, order, augmentation and attacks
    amp : bfloat16 autocast of the network
    """

    threats: tuple[Threat, ...] = ()
    union: str | None = None
    seed: int = 0
    amp: bool = False

    @property
    def threat(self) -> Threat | None:
        """The adversary, of several norms the first; None for standard training."""
        return self.threats[0] if self.threats else None

    @property
    def attacks(self) -> bool:
        """Whether training looks at perturbed images at all."""
        return self.threat is not None and self.lam > 0

    def to_json(self) -> dict:
        """What a checkpoint records."""
        recorded = {
            name: plain(getattr(self, name))
            for name in declarations(type(self))
            if name not in ("ema", "size") and (name, getattr(self, name)) != ("accumulate", 1)
        }
        threats = [threat.to_json() for threat in self.threats]
        threat = {"threat": threats, "union": self.union} if self.union else {"threat": threats[0] if threats else None}
        return {**recorded, **threat, "seed": self.seed, "amp": self.amp}


class ReachWarning(UserWarning):
    """The steps of an adversary do not add up to its radius."""


def threats_of(asked: Training) -> tuple[Threat, ...]:
    """What the adversary that is asked for may do: in each of its norms one thing."""
    settings = (asked.steps, asked.step_size, asked.random_start, asked.objective)
    return tuple(_reaching(Threat.training(norm, eps, *settings)) for norm, eps in asked.threats)


def _reaching(threat: Threat) -> Threat:
    """The adversary; if it falls short of its radius that is said."""
    if threat.reach < threat.eps * (1 - 1e-9):
        share = f"{threat.steps} steps of {threat.step_size:.4g} go {threat.reach:.4g} far"
        warnings.warn(f"the adversary falls short of eps {threat.eps:.4g}: {share}", ReachWarning, stacklevel=2)
    return threat


def passes(asked: Training, shape: tuple[int, int, int], wanted: Mapping[str, Any] = MappingProxyType({})) -> int:
    """Passes over the data: as asked, else as the dataset wants, else those of the method."""
    if asked.epochs is not None:
        return asked.epochs
    return wanted.get("epochs") or default_epochs(shape, _method(asked))


def _method(asked: Training) -> str:
    return asked.objective if asked.adv != "none" else "pgd"


def resolve(
    asked: Training,
    shape: tuple[int, int, int],
    mirrored: bool,
    amp: bool = False,
    wanted: Mapping[str, Any] = MappingProxyType({}),
) -> TrainConfig:
    """Every setting: as asked, else by the data's recipe.

    Parameters
    ----------
    shape : of the images
    mirrored : whether a mirrored image keeps its class, so that flips augment
    amp : whether to compute in bfloat16
    wanted : what the dataset wants, where it wants other settings than images of its size

    Raises
    ------
    UsageError
        if settings do not go together
    """
    asked.validate()
    for norm, eps in asked.threats:
        check_radius(norm, eps, shape)
    adversarial = asked.adv != "none" and asked.lam > 0 and asked.objective != "mart"
    replays = (asked.replays or REPLAYS) if asked.objective == "free" else 1
    method = _method(asked)
    decided = recipe(shape, passes(asked, shape, wanted), mirrored, adversarial, replays, method)
    decided |= {name: value for name, value in wanted.items() if name in decided and name != "epochs"}
    if asked.size:
        decided["augment"] = "rrc+flip" if mirrored else "rrc"
    decided |= {
        "beta": OBJECTIVES[asked.objective].beta,
        "ema_decay": EMA_DECAY if asked.ema else 0.0,
        "select": "best" if asked.val else "last",
    }
    names = [name for name in declarations(TrainConfig) if name not in ("epochs", "replays")]
    given = {name: getattr(asked, name) for name in names if getattr(asked, name) is not None}
    settings = {**decided, **given, "replays": replays}
    settings["ema"] = settings["ema_decay"] > 0
    replace(asked, schedule=settings["schedule"]).validate()
    if settings["schedule"] != "step":
        settings["lr_drops"] = ()
    made = settings["epochs"] * replays
    if asked.eps_warmup > made:
        raise UsageError(f"the radius would never be reached in {made} epochs", "eps_warmup", asked.eps_warmup)
    if any(drop > settings["epochs"] for drop in settings["lr_drops"]):
        drops = ",".join(map(str, settings["lr_drops"]))
        raise UsageError(f"later than the last of {settings['epochs']} epochs", "lr_drops", drops)
    union = (asked.union or UNIONS[0]) if len(asked.threats) > 1 else None
    return TrainConfig(**settings, threats=threats_of(asked), union=union, seed=asked.seed, amp=amp)
