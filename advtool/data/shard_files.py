"""Which split each of several shards is of: as its head says, else its name or that of its folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from advtool.data import splits, tree
from advtool.errors import AdvtoolError, UsageError
from advtool.io import streams
from advtool.io.readers import SampleReader
from advtool.io.shards import first_head

_ENDS = (".tar", ".tar.gz", ".tgz")


@dataclass(frozen=True)
class Said:
    """What a shard says its split is."""

    path: Path
    head: str | None
    name: str | None

    @property
    def split(self) -> str | None:
        """As the head says; ``test`` was once written also for val, of which a name is the better witness."""
        return "val" if (self.head, self.name) == ("test", "val") else self.head or self.name


def in_directory(directory: Path) -> list[Path]:
    """The shards of a directory and of the split folders in it; AdvtoolError for one that is no file."""
    folder = tree.look_into(directory)
    below = [tree.look_into(path, folder.ancestors) for path in folder.folders if splits.named_in(path.name)]
    return [path for place in (folder, *below) for path in place.others if path.name.endswith(_ENDS)]


def said_by(path: Path, root: Path | None = None) -> Said:
    """What a shard says; one that is no file, or is damaged, says what its name does.

    Parameters
    ----------
    root : the directory that was named, whose own name is not asked

    Raises
    ------
    AdvtoolError
        if file and folder are named after different splits
    """
    file = splits.named_in(path.name)
    folder = frozenset() if root == path.parent else splits.named_in(path.parent.name)
    if len(file) == 1 and len(folder) == 1 and file != folder:
        raise AdvtoolError(f"{path}: its name says {_only(file)}, but its folder's {_only(folder)}; move or rename it")
    head = first_head(path)
    heads = splits.named_in(head.split) if head and head.split else frozenset()
    named = file if len(file) == 1 else folder
    if len(file) > 1 and not heads:
        raise AdvtoolError(f"{path}: its name says {' and '.join(sorted(file))}; rename it")
    return Said(path, _only(heads), _only(named))


def by_split(paths: Sequence[Path], root: Path) -> tuple[dict[str, list[Path]], str]:
    """(split → the shards of it, the layout in words); no split at all if no shard says one.

    Raises
    ------
    AdvtoolError
        if the head and the name of a shard disagree, or some say a split and others none
    """
    said = [said_by(path, root) for path in paths]
    for each in said:
        if each.head and each.name and each.split == each.head != each.name:
            message = f"its head says {each.head}, but its name {each.name}; rename it, or give it alone"
            raise AdvtoolError(f"{each.path}: {message}")
    found: dict[str, list[Path]] = {}
    for each in said:
        if each.split:
            found.setdefault(each.split, []).append(each.path)
    silent = next((each.path for each in said if not each.split), None)
    if found and silent:
        SampleReader([streams.open_path(silent)], str(silent)).close()  # if it is damaged, that is the fault
        known = next(each for each in said if each.split)
        message = f"says no split, but {known.path} says {known.split}; name it so, such as train-{silent.name}"
        raise AdvtoolError(f"{silent}: {message}")
    return found, _layout(said)


def of_pattern(paths: Sequence[Path], asked: str | None, name: str) -> tuple[list[Path], str | None]:
    """(the shards that are read, their split if it was asked for), of those that a pattern matches.

    Raises
    ------
    UsageError
        if they are of several splits and none is asked for, or there is none of that which is
    """
    said = [said_by(path) for path in paths]
    first = {each.split: each.path for each in reversed(said) if each.split}
    if asked and first:
        found = {split: [each.path for each in said if each.split == split] for split in first}
        if silent := next((each.path for each in said if not each.split), None):
            raise UsageError(f"{silent} does not say its split", "split", asked)
        chosen, split, _ = splits.choose(found, asked, asked, name)
        return chosen, split
    if len(first) > 1:
        shown = " and ".join(f"{split} ({path})" for split, path in sorted(first.items(), reverse=True))
        message = f"{name} mixes {shown}; say which part is meant, or pipe all of them in: cat … | advtool …"
        raise UsageError(message, "split")
    return list(paths), None


def _layout(said: list[Said]) -> str:
    if not any(each.split for each in said):
        return "shards that say no split"
    if all(each.head for each in said):
        return "shards by the split in their heads"
    if not any(each.head for each in said):
        return "shards by the split in their names"
    return "shards by the split in their heads and names"


def _only(said: frozenset[str]) -> str | None:
    return next(iter(said)) if len(said) == 1 else None
