"""Which checkpoint a command means, and whether data fits it."""

from advtool.errors import AdvtoolError, UsageError
from advtool.io.head import by


def open_checkpoint(ckpt: str | None, data: str | None, command: str):
    """(checkpoint file, --data now that it is known what stdin carries): --ckpt, or stdin if that is safetensors."""
    from advtool.io import checkpoints, streams

    on_stdin = ckpt == "-" or (
        ckpt is None and data != "-" and streams.stdin_is_data() and streams.stdin().kind == streams.SAFETENSORS
    )
    if on_stdin:
        if data == "-":
            raise UsageError("--ckpt - and --data -: stdin can carry only one of them")
        return checkpoints.read(streams.stdin()), data or "digits"
    if ckpt is None:
        if streams.stdin_is_data() and data != "-":
            streams.stdin().expect(streams.SAFETENSORS, "a checkpoint, since there is no --ckpt")
        raise UsageError(f"no checkpoint: pass --ckpt FILE, or pipe one in: advtool train … | advtool {command}")
    return checkpoints.read(streams.open_path(ckpt)), data


def check_fit(model, head, name: str, file) -> None:
    """Refuse data whose shape or classes the checkpoint was not made for.

    Parameters
    ----------
    head : of the data, complete
    name : of the data, for the message
    """
    spec, classes = model.spec, head.num_classes
    trained_on = (file.meta.get("data") or {}).get("source", "other data")
    where, hint = f"{name} does not fit {file.path}", f"(trained on {trained_on}; see --data)"
    if tuple(head.shape) != tuple(spec.shape):
        raise AdvtoolError(f"{where}: images are {by(head.shape)}, the model takes {by(spec.shape)} {hint}")
    renamed = head.classes != spec.classes[:classes] and head.classes != tuple(map(str, range(classes)))
    if classes > len(spec.classes) or (classes < len(spec.classes) and renamed):
        raise AdvtoolError(f"{where}: {classes} classes, the model knows {len(spec.classes)} {hint}")
