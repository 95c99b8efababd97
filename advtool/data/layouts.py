"""How the images of a directory are laid out: which folders are splits, which are classes, and where labels stand."""

import re
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

from advtool.data import labels, splits, tree
from advtool.data.folders import ClassFolders, LabelledFolder
from advtool.data.tree import LeftOutWarning
from advtool.errors import AdvtoolError, UsageError

_WRAPPERS = re.compile(r"images?|imgs?|pictures|photos|jpe?g|png|jpegimages|data|all|2750|\d+_objectcategories", re.I)
_ASIDE = re.compile(
    r"annotations?|labels?|lists?|masks?|meta(data)?|imagesets|splits?|xmls?|bbox(es)?|devkit|docs?", re.I
)
_IMAGENET = ("ILSVRC/Data/CLS-LOC", "Data/CLS-LOC")
_UNKNOWN = "images whose labels nobody knows; put them into class folders, or add labels.csv of FILENAME,LABEL"

Source = ClassFolders | LabelledFolder


@dataclass(frozen=True)
class _Flat:
    """Images in one folder, without class folders."""

    directory: Path


def resolve(name: str, directory: Path, split: str | None, default_split: str) -> Source:
    """Find the images of a directory, with or without split folders above the classes.

    Raises
    ------
    UsageError
        if there are none, or not for this split, or nothing says their labels
    """
    top = _descended(directory)
    if parts := _parts(top):
        _warn_of_others(top, [place if isinstance(place, Path) else place.directory for place in parts.values()])
        return _split(name, directory, top, parts, split, default_split)
    found = _arrangement(tree.look_into(top))
    if found is not None and found != top:
        _warn_of_others(top, [found if isinstance(found, Path) else found.directory])
    if isinstance(found, _Flat):
        file = _label_file(found, directory, None)
        if file is None:
            raise UsageError(f"{_below(found.directory, directory)}: {_UNKNOWN}", parameter="data", value=name)
        layout = f"{_below(found.directory, directory)} labelled by {_below(file.path, directory, '')}"
        return LabelledFolder(name, found.directory, file, layout=layout)
    if found is None:
        message = "neither shards (train-*.tar) nor class folders with images in this directory"
        raise UsageError(message, parameter="data", value=name)
    inside = "" if found == directory else f" in {_below(found, directory)}"
    return ClassFolders(name, found, layout=f"class folders{inside}")


def is_laid_out(directory: Path) -> bool:
    """Whether a directory has split folders or class folders of images."""
    folder = tree.look_into(directory)
    holding = [path for path in folder.folders if tree.holds_image(path, folder.ancestors)]
    return len(holding) > 1 or bool(_parts(directory))


def _split(name: str, root: Path, top: Path, parts: dict[str, Path | _Flat], split: str | None, default: str) -> Source:
    """The part that is read, of those that are labelled."""
    train = parts.get("train")
    classes = tuple(path.name for path in tree.look_into(train).folders) if isinstance(train, Path) else None
    found: dict[str, Source] = {}
    unlabelled = []
    faults: dict[str, AdvtoolError] = {}
    for part, place in parts.items():
        if isinstance(place, Path):
            found[part] = ClassFolders(name, place)
            continue
        try:
            file = _label_file(place, root, classes)
        except AdvtoolError as error:  # of no matter to who reads another part
            file, faults[part] = None, error
        if file:
            found[part] = LabelledFolder(name, place.directory, file)
        else:
            unlabelled.append(_below(place.directory, root))
    wanted = split or default
    if wanted not in found and (fault := faults.get(wanted) or (wanted == "test" and faults.get("val"))):
        raise fault
    if not found:
        raise UsageError(f"{' and '.join(unlabelled)}: {_UNKNOWN}", parameter="data", value=name)
    missing = f"; {' and '.join(unlabelled)}: {_UNKNOWN}" if unlabelled else ""
    if unlabelled:
        warnings.warn(f"{name}: {' and '.join(unlabelled)} has no labels and is not read", LeftOutWarning, stacklevel=1)
    chosen, split, names = splits.choose(found, split, default, name, missing)
    layout = _described(root, found, unlabelled, names)
    return replace(chosen, split=split, splits=names, layout=layout)


def _described(root: Path, found: dict[str, Source], unlabelled: list[str], names: tuple[str, ...]) -> str:
    """The layout in a few words."""
    ordered = [found[part] for part in splits.PARTS if part in found]
    folders = [_below(source.directory, root) for source in ordered if isinstance(source, ClassFolders)]
    shown = [f"class folders {_listed(folders)}"] if folders else []
    shown += [
        f"{_below(source.directory, root)} labelled by {_below(source.labels.path, root, '')}"
        for source in ordered
        if isinstance(source, LabelledFolder)
    ]
    if "val" in found and "val" not in names:
        shown.append(f"{_below(found['val'].directory, root)} is the test split")
    shown += [f"{place} not read, without labels" for place in unlabelled]
    return "; ".join(shown)


def _warn_of_others(top: Path, read: list[Path]) -> None:
    """Say which folders of images are no part of the layout."""
    folder = tree.look_into(top)
    rest = [path for path in folder.folders if not any(path == place or path in place.parents for place in read)]
    others = [f"{path.name}/" for path in rest if tree.holds_image(path, folder.ancestors)]
    if top not in read and (others or folder.images):
        loose = [f"{len(folder.images):,} images beside them"] if folder.images else []
        message = f"{top}: {' and '.join(others + loose)} not read, no part of the layout"
        warnings.warn(message, LeftOutWarning, stacklevel=1)


def _parts(top: Path) -> dict[str, Path | _Flat]:
    """The split folders of a directory; empty if it has none."""
    folder = tree.look_into(top)
    candidates = [(path, said) for path in folder.folders if (said := splits.named_in(path.name))]
    places: dict[str, Path | _Flat] = {}
    owners: dict[str, Path] = {}
    for path, said in candidates:
        place = _arrangement(tree.look_into(path, folder.ancestors))
        if place is None or not (splits.is_plain(path.name) or isinstance(place, Path)):
            continue
        if len(said) > 1:
            raise AdvtoolError(f"{path}: its name says {' and '.join(sorted(said))}; rename it")
        (part,) = said
        if part in places:
            raise AdvtoolError(f"{owners[part]} and {path} are both called {part}; rename one, or move it away")
        places[part], owners[part] = place, path
    rest = [path for path in folder.folders if path not in owners.values() and not _ASIDE.fullmatch(path.name)]
    beside = next((path for path in rest if tree.holds_image(path, folder.ancestors)), None)
    if beside and not any(_is_above_classes(path, folder) for path in owners.values()):
        return {}  # classes, of which one is called train
    if beside and len(places) == 1:
        (only,) = owners.values()
        raise AdvtoolError(f"{only}: a split or a class, beside {beside.name}/? Move one of them elsewhere")
    return places


def _is_above_classes(path: Path, above: tree.Folder) -> bool:
    """Whether a folder holds folders of images, and no image itself."""
    folder = tree.look_into(path, above.ancestors)
    return not folder.images and isinstance(_arrangement(folder), Path)


def _arrangement(folder: tree.Folder) -> Path | _Flat | None:
    """The directory of class folders in a folder, or the one of images without any; None if there is no image."""
    holding = [path for path in folder.folders if not _ASIDE.fullmatch(path.name)] or folder.folders
    wrappers = [path for path in holding if _WRAPPERS.fullmatch(path.name) or path.name == folder.path.name]
    if len(wrappers) == 1 and not folder.images:
        (wrapper,) = wrappers
        others = [path for path in holding if path != wrapper]
        if not any(tree.holds_image(path, folder.ancestors) for path in others):
            return _arrangement(tree.look_into(wrapper, folder.ancestors))
    if any(tree.holds_image(path, folder.ancestors) for path in folder.folders):
        return folder.path
    return _Flat(folder.path) if folder.images else None


def _descended(directory: Path) -> Path:
    """The directory itself, or the folder below it that has the split folders, where an archive unpacks to one."""
    for known in _IMAGENET:
        if (directory / known).is_dir():
            return directory / known
    folder = tree.look_into(directory)
    if len(folder.folders) == 1 and not folder.images and not splits.named_in(folder.folders[0].name):
        (below,) = folder.folders
        if any(isinstance(place, Path) for place in _parts(below).values()):
            return below
    return directory


def _label_file(place: _Flat, root: Path, classes: tuple[str, ...] | None) -> labels.LabelFile | None:
    images, _ = tree.gather(tree.look_into(place.directory))
    return labels.find(images, place.directory, root, classes)


def _below(path: Path, root: Path, end: str = "/") -> str:
    """A path as it is seen from the directory."""
    try:
        relative = path.relative_to(root)
    except ValueError:
        return f"{path}{end}"
    return f"{path.name}{end}" if relative == Path() else f"{relative}{end}"


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
