"""What is measured in an evaluation: which attacks, in which balls, with every option resolved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from advtool import norms, registry
from advtool.ball import Ball
from advtool.errors import UsageError
from advtool.evaluation import refusals
from advtool.io.shape import Shape
from advtool.registry import Attack, Planned

SEARCHED = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Factors on the step size that a search tries."""


CALLS = 20
"""By how many fresh calls an image of a random model is judged, unless more are asked for."""


_TOWARDS = {"apgd-t", "fab-t"}

_RATIOS = {"apgd-dlr": 3, "apgd-t": 4}
"""How many classes the differences of logits ratios want."""

VOTES, EOT = 100, 20
"""The same of a smoothed classifier, and of how many calls attacks on it follow the mean gradient."""


@dataclass(frozen=True)
class Stage:
    """What is run at one radius, for one entry of the report or for several.

    Attributes
    ----------
    attacks : an ensemble; each is run on what the ones before it left standing
    read_at : numbers of steps at which the one attack is looked at: an entry for each. Empty: at its end
    radii : of attacks that look for the smallest perturbation whatever its size: an entry for each radius
    candidates : attacks of which the strongest on a few images is run instead of the one in `attacks`
    """

    attacks: tuple[Planned, ...]
    read_at: tuple[int, ...] = ()
    radii: tuple[float, ...] = ()
    candidates: tuple[Planned, ...] = ()

    @property
    def ball(self) -> Ball:
        return self.attacks[0].ball

    @property
    def entries(self) -> int:
        """How many entries of the report it gives."""
        return max(1, len(self.read_at)) if self.ball.is_bounded else len(self.radii)

    @property
    def passes(self) -> int:
        """How often each image is gone through."""
        return self.entries if self.ball.is_bounded else 1


@dataclass(frozen=True)
class Evaluation:
    """A plan with nothing left to choose but a model and images.

    Attributes
    ----------
    stages : in the order of the report
    asked : the options of the attacks that were chosen, the others None
    lam : weight of the adversarial risk in the joint risk
    plateau : whether the stages make a curve, of which it is asked whether it has come to its end
    calls : by how many fresh calls an image of a random model is judged
    named : the version of AutoAttack that was asked for, if one was
    union : whether the stages are threats of one adversary, who may choose among them
    votes : of a random model an image counts as what most calls answer, and not with the share of them that are right
    """

    stages: tuple[Stage, ...] = ()
    asked: Mapping[str, Any] | None = None
    lam: float = 1.0
    plateau: bool = False
    calls: int = CALLS
    named: str | None = None
    union: bool = False
    votes: bool = False

    @classmethod
    def of(
        cls,
        *,
        adv: str | Sequence[str] | None = None,
        eps: float | Sequence[float] = (),
        attack: str = "pgd",
        curve: bool = False,
        steps: int | Sequence[int] | None = None,
        step_size: float | None = None,
        search_step_size: bool = False,
        random_start: bool | None = None,
        restarts: int | None = None,
        loss: str | None = None,
        eot: int | None = None,
        calls: int | None = None,
        lam: float = 1.0,
        base: object | None = None,
        per_sample: object | None = None,
    ) -> "Evaluation":
        """The plan for what is asked, see `evaluate`; None leaves a choice to the attacks.

        Parameters
        ----------
        base, per_sample : whether there are any is all that matters here

        Raises
        ------
        UsageError
            naming the parameter, if the attacks cannot do what is asked, or parameters do not go together
        """
        radii = tuple(eps) if isinstance(eps, Sequence) else (eps,)
        counts = tuple(sorted({*steps})) if isinstance(steps, Sequence) else () if steps is None else (steps,)
        asked: dict[str, Any] = {"steps": counts[0] if counts else None, "step_size": step_size}
        asked |= {"random_start": random_start, "restarts": restarts, "loss": loss, "eot": eot}
        chosen = tuple(adv.split(",")) if isinstance(adv, str) else tuple(adv or ())
        if chosen in ((), ("none",)):
            more: dict[str, Any] = {"calls": calls, "curve": curve, "search_step_size": search_step_size}
            more |= {"base": base, "per_sample": per_sample}
            refusals.without_adversary({"eps": radii, "attack": attack, **asked, "lam": lam, **more})
            return cls()
        if not lam >= 0:
            raise UsageError("must be at least 0", parameter="lam", value=lam)
        refusals.radii(chosen, radii, curve)
        ensembles = {norm: registry.ensemble(attack, norm) for norm in chosen}
        refusals.together(ensembles[chosen[0]], chosen, counts, restarts, search_step_size, base, per_sample, curve)
        if search_step_size or len(counts) > 1:
            balls = [norms.ball(chosen[0], radius) for radius in radii]
            found = [_steps(ball, counts, asked, search_step_size) for ball in balls]
            return cls(tuple(stage for curve in found for stage in curve), asked, lam, plateau=len(counts) > 1)
        if curve:
            whole = registry.plans(ensembles[chosen[0]], norms.ball(chosen[0]), asked)
            return cls((Stage(whole, radii=tuple(sorted(radii))),), asked, lam)
        where = zip(chosen, radii, strict=True) if len(chosen) > 1 else ((chosen[0], radius) for radius in radii)
        balls = [norms.ball(norm, radius) for norm, radius in where]
        stages = tuple(Stage(registry.plans(ensembles[ball.name], ball, asked)) for ball in balls)
        named = attack if attack in registry.AUTOATTACK else None
        return cls(stages, asked, lam, calls=calls or CALLS, named=named, union=len(chosen) > 1)

    def voting(self, calls: int | None = None) -> "Evaluation":
        """The same for a smoothed classifier, which answers what most calls answer.

        Attacks follow the mean gradient of `EOT` calls, where nobody asked for another number.

        Parameters
        ----------
        calls : by which an image is judged; `VOTES` by default
        """
        stages = self.stages
        if (self.asked or {}).get("eot") is None:
            stages = tuple(replace(stage, attacks=tuple(map(_averaged, stage.attacks))) for stage in stages)
        return replace(self, stages=stages, votes=True, calls=calls or VOTES)

    @property
    def title(self) -> str | None:
        """What the version of AutoAttack is called in the report, if it is one."""
        name, _, version = (self.named or "").partition("-")
        return f"{name} ({version or 'standard'})" if name else None

    def few(self, classes: int) -> str | None:
        """What a version of AutoAttack does otherwise for want of classes, if it does."""
        planned = self.stages[0].attacks if self.named and classes > 1 else ()
        wanted = {each.name: each.options.get("target_classes", 9) for each in planned if each.name in _TOWARDS}
        without = [each.name for each in planned if classes < _RATIOS.get(each.name, 0)]
        fewer = [f"{name} has {classes - 1} of {count} targets" for name, count in wanted.items() if classes <= count]
        if without:
            fewer.append(
                f"{' and '.join(without)} follow{'s' * (len(without) == 1)} differences of logits, not their ratio"
            )
        return f"{classes} classes: {'; '.join(fewer)}" if fewer else None

    def for_random(self) -> "Evaluation":
        """The same for a model whose calls differ: of AutoAttack the version that is made for those.

        Raises
        ------
        UsageError
            for what is for models that always give the same answer
        """
        if self.plateau or self.searches or self.union or any(not stage.ball.is_bounded for stage in self.stages):
            message = "curves, unions and searched step sizes are for models that always give the same answer"
            raise UsageError(message, "steps")
        if self.named is None or self.named == "autoattack-rand":
            return self
        attacks, asked = registry.ensemble("autoattack-rand"), self.asked or {}
        stages = tuple(Stage(registry.plans(attacks, stage.ball, asked)) for stage in self.stages)
        return replace(self, stages=stages, named="autoattack-rand")

    def check(self, shape: Shape) -> None:
        """Raise UsageError for a radius larger than images of this shape (C, H, W) are apart."""
        for stage in self.stages:
            for radius in (stage.ball.eps,) if stage.ball.is_bounded else stage.radii:
                norms.check_radius(stage.ball.name, radius, shape)

    @property
    def attacks(self) -> tuple[Attack, ...]:
        """The attacks of the ensemble, without their options; none for clean images only."""
        return tuple(planned.attack for planned in self.stages[0].attacks) if self.stages else ()

    @property
    def passes(self) -> int:
        """How often each image is gone through: once clean, and once for each attack that is run on its own."""
        return 1 + sum(stage.passes for stage in self.stages)

    @property
    def searches(self) -> bool:
        """Whether step sizes are looked for."""
        return any(stage.candidates for stage in self.stages)


def _averaged(planned: Planned) -> Planned:
    """The attack as it follows the mean gradient, if it has one."""
    return planned.with_options(eot=EOT) if "eot" in planned.attack.takes else planned


def _steps(ball: Ball, counts: tuple[int, ...], asked: Mapping[str, Any], search: bool) -> list[Stage]:
    """PGD of several numbers of steps. With one step size for all, it is one long attack read at those steps;
    otherwise the step size belongs to the number of steps, and each number is an attack of its own."""
    pgd = registry.get("pgd")
    if asked["step_size"] is not None and not search:
        return [Stage((pgd.plan(ball, {**asked, "steps": counts[-1]}),), read_at=counts)]
    stages = []
    for count in counts or (None,):
        plan = pgd.plan(ball, {**asked, "steps": count})
        sizes = [factor * plan.options["step_size"] for factor in SEARCHED if search]
        candidates = tuple(plan.with_options(step_size=size) for size in sizes)
        stages.append(Stage((plan,), candidates=candidates))
    return stages
