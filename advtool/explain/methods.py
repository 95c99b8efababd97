"""The methods of explain by name: which options each takes, and what runs it. Torch is not imported here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from advtool.errors import UsageError, unknown

_MODEL = frozenset({"ckpt", "arch", "normalize", "weights", "size", "crop_pct", "interpolation", "crop_mode"})
_COMPUTE = frozenset({"batch_size", "device"})
_LAYOUT = frozenset({"columns", "names", "limit", "random"})
_ATTRIBUTION = _MODEL | _COMPUTE | _LAYOUT | {"of", "shards", "smooth"}
_ATTACK = _MODEL | _COMPUTE | _LAYOUT | {"smooth", "adv", "eps", "target", "steps", "step_size"}


@dataclass(frozen=True)
class Method:
    """A method of explain.

    Attributes
    ----------
    takes : the options that it uses, of those that not all methods use
    run : ``module:function`` that computes it
    limit : number of images that it uses by default; None for all
    split : the part of a source that it reads by default
    animated : whether its pictures can follow one another in time
    """

    name: str
    takes: frozenset[str]
    run: str
    limit: int | None = 10
    split: str = "test"
    animated: bool = False

    @property
    def is_attribution(self) -> bool:
        """Whether it says something of each pixel, so that it can stand in a list and go into shards."""
        return "shards" in self.takes


_ATTRIBUTIONS = "advtool.explain.attribution_pictures:attributions"
METHODS = {
    method.name: method
    for method in (
        Method("gradient", _ATTRIBUTION, _ATTRIBUTIONS),
        Method("integrated-gradients", _ATTRIBUTION | {"baseline", "steps"}, _ATTRIBUTIONS),
        Method("smoothgrad", _ATTRIBUTION | {"variance", "steps"}, _ATTRIBUTIONS),
        Method("large-eps", _ATTACK, "advtool.explain.attack_pictures:large_eps_pictures"),
        Method(
            "interpolate",
            _ATTACK | {"points"},
            "advtool.explain.attack_pictures:interpolation",
            limit=4,
            animated=True,
        ),
        Method("weights", _MODEL | _LAYOUT, "advtool.explain.weight_pictures:weights", limit=None, split="train"),
        Method("samples", _LAYOUT, "advtool.explain.sample_pictures:samples", split="train"),
    )
}
ATTRIBUTIONS = tuple(method.name for method in METHODS.values() if method.is_attribution)


def chosen(names: Sequence[str]) -> tuple[Method, ...]:
    """The methods of these names: one, or several attributions.

    Raises
    ------
    UsageError
        if there is no such method, or a list holds other methods than attributions
    """
    for name in names:
        if name not in METHODS:
            raise unknown("method", name, METHODS)
    methods = tuple(METHODS[name] for name in names)
    if not methods:
        raise UsageError("names no method", parameter="method")
    if len(methods) > 1 and not all(method.is_attribution for method in methods):
        raise UsageError(f"a list can have only {', '.join(ATTRIBUTIONS)}", parameter="method", value=",".join(names))
    return methods


def taken(methods: Iterable[Method]) -> frozenset[str]:
    """The options that at least one of the methods uses."""
    return frozenset().union(*(method.takes for method in methods))
