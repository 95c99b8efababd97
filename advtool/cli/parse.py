"""Values of options that need more than a type."""

import math
from fractions import Fraction

from advtool.errors import UsageError, unknown
from advtool.registry import NORMS, check_radius


def number(text: str, option: str) -> float:
    """A finite number ≥ 0, as a decimal or a fraction such as 8/255."""
    try:
        value = float(Fraction(text.strip())) if "/" in text else float(text)
    except ZeroDivisionError:
        raise UsageError(f"{option} {text}: division by zero") from None
    except (ValueError, OverflowError):
        raise UsageError(f"{option} {text}: not a number or a fraction such as 8/255") from None
    if not math.isfinite(value):
        raise UsageError(f"{option} {text}: must be finite")
    if value < 0:
        raise UsageError(f"{option} {text}: must not be negative")
    return value


def norm(adv: str) -> str:
    """A value of --adv."""
    if adv not in ("none", *NORMS):
        raise unknown("--adv", adv, ("none", *NORMS))
    return adv


def threat_model(adv: str, eps: str | None) -> tuple[str | None, list[float]]:
    """The norm (None for no adversary) and the radii that --adv and --eps give together."""
    norm(adv)
    if adv == "none":
        if eps is not None:
            raise UsageError("--eps needs --adv l2 or --adv linf")
        return None, []
    if eps is None:
        raise UsageError(f"--adv {adv} needs --eps, such as {NORMS[adv].example}")
    radii = [number(part, "--eps") for part in eps.split(",")]
    for radius in radii:
        check_radius(adv, radius)
    return adv, radii


def integers(text: str | None, option: str) -> tuple[int, ...] | None:
    """A comma-separated list of positive integers."""
    if text is None:
        return None
    parts = text.split(",")
    if not all(part.strip().isdigit() and int(part) > 0 for part in parts):
        raise UsageError(f"{option} {text}: must be positive integers, separated by commas")
    return tuple(int(part) for part in parts)


def choice(value: str | None, option: str, choices: tuple[str, ...]) -> None:
    """Refuse a value that is not among the choices."""
    if value is not None and value not in choices:
        raise unknown(option, value, choices)
