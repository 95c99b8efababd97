"""What an evaluation counts. Counts of disjoint parts of the images add up to those of all."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from advtool.prepared import Passes
from advtool.registry import Planned


@dataclass(frozen=True)
class Share:
    """So many out of so many."""

    correct: int
    n: int


@dataclass(frozen=True)
class AttackCount:
    """Of one attack of an ensemble: images it was run on, images it broke, how long it took, and what for."""

    attacked: int
    broken: int
    seconds: float
    passes: Passes = field(default_factory=Passes)


@dataclass(frozen=True)
class EntryCount:
    """Under one ensemble at one radius.

    Attributes
    ----------
    attacks : the ensemble
    searched : whether the step size was looked for
    standing : images that are classified correctly clean and under every attack
    wrong : images that are misclassified clean
    excess : images that the adversary adds to those on which model and base classifier (or label) disagree
    breakdown : one for each attack
    squares : of a random model, whose images count with the share of the calls that are right: the sum of the squares
        of these shares
    calls : how many calls that are
    """

    attacks: tuple[Planned, ...]
    searched: bool
    standing: float
    wrong: float
    excess: float
    breakdown: tuple[AttackCount, ...]
    squares: float | None = None
    calls: int | None = None


@dataclass(frozen=True)
class Counts:
    """Of a whole evaluation.

    Attributes
    ----------
    clean : images that are classified correctly as they are
    entries : one for each entry of the report
    targeted : of targeted adversarial examples, by name; see `transfer.targeted_shares`
    squares, calls : as of an `EntryCount`
    union : images that stand under all threats of one adversary
    distances : of each image the norm of the smallest perturbation found; 0 if it is wrong as it is, else infinite if
        there is none
    """

    n: int
    clean: float
    entries: tuple[EntryCount, ...] = ()
    targeted: dict[str, Share] = field(default_factory=dict)
    squares: float | None = None
    calls: int | None = None
    union: int | None = None
    distances: tuple[float, ...] | None = None


def total(parts: Sequence[Counts], in_turn: bool = False) -> Counts:
    """The counts of all images together, from those of disjoint parts of them under the same attacks.

    Parameters
    ----------
    in_turn : parts were worked on one after another, so that times add up; else side by side: the longest counts
    """
    names = dict.fromkeys(name for part in parts for name in part.targeted)
    targeted = {name: [part.targeted[name] for part in parts if name in part.targeted] for name in names}
    return Counts(
        n=sum(part.n for part in parts),
        clean=sum(part.clean for part in parts),
        entries=tuple(_entry(entries, in_turn) for entries in zip(*(part.entries for part in parts), strict=True)),
        targeted={
            name: Share(sum(share.correct for share in shares), sum(share.n for share in shares))
            for name, shares in targeted.items()
        },
        squares=_squares(parts),
        calls=parts[0].calls,
        union=None if parts[0].union is None else sum(part.union or 0 for part in parts),
        distances=None if parts[0].distances is None else sum((part.distances or () for part in parts), ()),
    )


def _squares(parts: Sequence[Counts] | Sequence[EntryCount]) -> float | None:
    known = [part.squares for part in parts if part.squares is not None]
    return sum(known) if known else None


def _entry(parts: Sequence[EntryCount], in_turn: bool) -> EntryCount:
    breakdown = (
        AttackCount(
            attacked=sum(row.attacked for row in rows),
            broken=sum(row.broken for row in rows),
            seconds=(sum if in_turn else max)(row.seconds for row in rows),
            passes=sum((row.passes for row in rows), Passes()),
        )
        for rows in zip(*(part.breakdown for part in parts), strict=True)
    )
    return replace(
        parts[0],
        standing=sum(part.standing for part in parts),
        wrong=sum(part.wrong for part in parts),
        excess=sum(part.excess for part in parts),
        breakdown=tuple(breakdown),
        squares=_squares(parts),
    )
