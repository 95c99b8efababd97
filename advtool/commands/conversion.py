"""``advtool train --init X.pt --epochs 0``: weights of another library as a checkpoint of ours, without any data."""

from advtool.cli import console, output
from advtool.io.checkpoints import CheckpointFile
from advtool.models import checkpoint


def convert(file: CheckpointFile, destination: output.Destination, dry_run: bool, as_json: bool) -> None:
    """Write an imported checkpoint as safetensors; what it was imported from goes into its training record."""
    model = checkpoint.restore(file)
    if dry_run:
        resolved = {"model": model.spec.to_json(), "imported": file.meta["imported"]}
        output.print_json({"schema": 1, "command": "train", **resolved, "output": destination.name})
        return
    training = {"init": file.sha256, "epochs": 0, "epochs_done": 0}
    destination.write(checkpoint.to_bytes(model, imported=file.meta["imported"], training=training))
    described = {"path": destination.name, "arch": model.spec.arch}
    if as_json:
        output.print_json({"schema": 1, "command": "train", "checkpoint": described, "training": None})
    if destination.path:
        console.say(f"wrote {destination.name}")
