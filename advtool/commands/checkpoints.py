"""Which checkpoint a command means, and whether data fits it."""

from advtool.cli import console
from advtool.cli.groups import Foreign
from advtool.errors import AdvtoolError, UsageError
from advtool.io import streams
from advtool.io.checkpoints import CheckpointFile
from advtool.io.head import CompleteHead
from advtool.io.shape import Shape, shape_text
from advtool.models import importing
from advtool.models.classifier import Classifier
from advtool.models.importing import Wanted, refit


def open_checkpoint(ckpt: str | None, data: str | None, options: Foreign) -> tuple[CheckpointFile, str | None]:
    """(checkpoint file, --data now that it is known what stdin carries): `ckpt`, or stdin if that is safetensors.

    Parameters
    ----------
    options : of the command, which say what a PyTorch file does not
    """
    on_stdin = ckpt == "-" or (
        ckpt is None and data != "-" and streams.stdin_is_data() and streams.stdin().kind == streams.SAFETENSORS
    )
    if on_stdin:
        if data == "-":
            raise UsageError("stdin can carry only one of this and --data -", "ckpt", "-")
        return _checked(importing.read(streams.stdin(), _wanted(options)), options), data or "digits"
    if ckpt is None:
        if streams.stdin_is_data() and data != "-":
            streams.stdin().expect(streams.SAFETENSORS, "a checkpoint, since there is no --ckpt")
        command = f"advtool {options.command}"
        raise UsageError(f"no checkpoint: pass --ckpt FILE, or pipe one in: advtool train … | {command}")
    return _checked(importing.read_path(ckpt, _wanted(options)), options), data


def _wanted(options: Foreign) -> Wanted:
    return Wanted(options.arch, normalize=options.normalize, weights=options.weights)


def _checked(file: CheckpointFile, options: Foreign) -> CheckpointFile:
    """The file; of our own nothing is left to say, so what was said has to be so."""
    if file.own:
        refuse_foreign(file, options.normalize, options.weights)
        if options.arch not in (None, file.meta.get("arch")):
            raise UsageError(f"{file.path} is a {file.meta.get('arch')}", "arch", options.arch)
    return file


def refuse_foreign(file: CheckpointFile, normalize: str | None, weights: str | None) -> None:
    """Refuse for a file of ours what is for those of other libraries."""
    if normalize is not None:
        raise UsageError(f"is for files of other libraries; {file.path} has its own normaliser", "normalize")
    if weights is not None:
        raise UsageError(f"is for files of other libraries; {file.path} holds one network", "weights")


def check_size(model: Classifier, shape: Shape, name: str, file: CheckpointFile) -> None:
    """Refuse images of another size than the checkpoint was made for.

    The model is made one for the size of the data where its weights fit that: a PyTorch file does not say for what
    size its network was made, and a checkpoint of ours may be of a network that takes any size.

    Parameters
    ----------
    shape : (C, H, W) of the data
    name : of the data, for the message
    """
    if shape != model.spec.shape:
        made_for, own = model.spec.shape, "imported" not in file.meta
        refit(model, shape, own)
        if own and shape == model.spec.shape:
            console.say(
                f"{file.path} was made for {shape_text(made_for)} images and sees {shape_text(shape)} as they are"
            )
    if shape != model.spec.shape:
        takes = f"the model takes {shape_text(model.spec.shape)} {_trained_on(file)}"
        channels, height, width = model.spec.shape
        if shape[0] == channels and height == width:
            takes += f"; advtool data --size {height} makes them fit"
        raise AdvtoolError(f"{name} does not fit {file.path}: images are {shape_text(shape)}, {takes}")


def check_fit(model: Classifier, head: CompleteHead, name: str, file: CheckpointFile) -> None:
    """Refuse data whose shape or classes the checkpoint was not made for.

    Parameters
    ----------
    head : of the data
    name : of the data, for the message
    """
    check_size(model, head.shape, name, file)
    spec, classes = model.spec, head.num_classes
    renamed = head.classes != spec.classes[:classes] and head.classes != tuple(map(str, range(classes)))
    if classes > len(spec.classes) or (classes < len(spec.classes) and renamed):
        knows = f"the model knows {len(spec.classes)} {_trained_on(file)}"
        raise AdvtoolError(f"{name} does not fit {file.path}: {classes} classes, {knows}")


def _trained_on(file: CheckpointFile) -> str:
    source = (file.meta.get("data") or {}).get("source", "other data")
    return f"(trained on {source}; see --data)"
