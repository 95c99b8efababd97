"""A source as pieces that are read apart from one another: its shards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from advtool.data.holdout import Part
from advtool.data.sources import Shards, Source
from advtool.launchers import Processes


@dataclass(frozen=True)
class Piece:
    """Some samples of a source, in its order.

    Attributes
    ----------
    n : how many; None for all from the first on
    first : place of the first, from 0
    """

    source: Source
    n: int | None
    first: int = 0


def pieces_of(source: Source, counts: Mapping[str, int] | None, limit: int | None = None) -> list[Piece]:
    """Each shard, where it is known how many samples it has; else the source as one piece.

    Parameters
    ----------
    counts : samples in each shard, by its path; of a `Part`, those that belong to it
    limit : of samples in all
    """
    whole, part = (source.whole, source) if isinstance(source, Part) else (source, None)
    if not (counts and isinstance(whole, Shards) and len(whole.paths) > 1) or (part and part.limit is not None):
        return [Piece(source, limit)]
    found, left = [], sum(counts.values()) if limit is None else limit
    for path in whole.paths:
        if n := min(counts.get(str(path), 0), left):
            shard: Source = replace(whole, paths=(path,), numbered_by=whole)
            found.append(Piece(replace(part, whole=shard) if part else shard, n))
            left -= n
    return found


def of_several(source: Source, here: Processes) -> Shards | None:
    """Every so many-th shard, where several processes go through them and each can have one; else None."""
    if here.world == 1 or not isinstance(source, Shards) or len(source.paths) < here.world:
        return None
    return replace(source, paths=source.paths[here.rank :: here.world], numbered_by=source)


def ranges(pieces: Sequence[Piece], start: int, n: int) -> list[Piece]:
    """The pieces that hold `n` samples from number `start` on, counted through all of them."""
    found = []
    for piece in pieces:
        assert piece.n is not None
        first, stop = max(start, 0), min(start + n, piece.n)
        if first < stop:
            found.append(Piece(piece.source, stop - first, piece.first + first))
        start -= piece.n
    return found
