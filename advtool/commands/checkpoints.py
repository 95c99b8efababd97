"""Which checkpoint a command means, and whether data fits it."""

from advtool.cli.groups import Foreign
from advtool.data.beginning import begin
from advtool.data.matching import ClassMismatch, match
from advtool.data.sources import Source
from advtool.errors import AdvtoolError, UsageError
from advtool.io import streams
from advtool.io.checkpoints import CheckpointFile
from advtool.io.head import Head
from advtool.io.shape import Shape, shape_text
from advtool.models import importing
from advtool.models.classifier import Classifier
from advtool.models.heads import fitted
from advtool.models.importing import Wanted, refit
from advtool.preprocessing import Preprocessing


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


def check_size(
    model: Classifier, shape: Shape, name: str, file: CheckpointFile, way: str = "advtool data --size"
) -> None:
    """Refuse images of another size than the checkpoint was made for.

    A file of another library does not say for what size its network was made: the model is made one for the size of
    the data where its weights fit that.

    Parameters
    ----------
    shape : (C, H, W) of the data
    name : of the data, for the message
    way : of resizing the images, to be followed by a number
    """
    if "imported" in file.meta and shape != model.spec.shape:
        refit(model, shape)
    if shape != model.spec.shape:
        takes = f"the model takes {shape_text(model.spec.shape)} {_trained_on(file)}"
        channels, height, width = model.spec.shape
        if shape[0] == channels and height == width:
            takes += f"; {way} {height} makes them fit"
        raise AdvtoolError(f"{name} does not fit {file.path}: images are {shape_text(shape)}, {takes}")


def preprocessing_of(file: CheckpointFile, model: Classifier) -> Preprocessing | None:
    """How a checkpoint says that images are resized for its model; those that have its shape already are not."""
    try:
        return Preprocessing.from_json(file.meta.get("preprocessing"), model.spec.shape)
    except (TypeError, ValueError, OverflowError) as error:
        raise AdvtoolError(f"{file.path}: bad preprocessing metadata ({error})") from None


def applied(source: Source, preprocessing: Preprocessing | None) -> Preprocessing | None:
    """What is done to the images of a source in the end, for a dry run, which reads no stream."""
    if preprocessing is None or preprocessing.unless is None or not source.repeatable:
        return preprocessing
    with source.open() as reader:
        return begin(reader, preprocessing).preprocessing


def check_classes(model: Classifier, head: Head, name: str, file: CheckpointFile) -> None:
    """Refuse data with classes that the model of a checkpoint does not know.

    Parameters
    ----------
    head : of the data
    name : of the data, for the message
    """
    try:
        match(head.classes, model.spec.classes, head.num_classes)
    except ClassMismatch as error:
        message = f"{name} does not fit {file.path}: {error} {_trained_on(file)}"
        raise ClassMismatch(message, error.disjoint) from None


def fit(model: Classifier, head: Head, name: str, file: CheckpointFile) -> Classifier:
    """The model with its logits in the order of the data's classes; what it does not know is refused."""
    check_classes(model, head, name, file)
    return fitted(model, head.classes, f"{name} and {file.path}", head.num_classes).model


def _trained_on(file: CheckpointFile) -> str:
    data = file.meta.get("data")
    source = data.get("source", "other data") if isinstance(data, dict) else "other data"
    return f"(trained on {source}; see --data)"
