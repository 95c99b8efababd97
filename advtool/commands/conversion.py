"""``advtool train --init X.pt --epochs 0``: weights of another library as a checkpoint of ours, without any data."""

from pathlib import Path
from typing import Any

from advtool.cli import console, output
from advtool.io.checkpoints import CheckpointFile
from advtool.io.foreign import WEIGHTS
from advtool.models import checkpoint


def stem(file: CheckpointFile) -> str:
    """What to call the converted checkpoint: as the file, or its folder, and its architecture are called."""
    arch = str(file.meta["arch"]).replace(":", "-")
    path = Path(file.path)
    name = path.name.removesuffix(".index.json")
    name = path.resolve().parent.name if name in WEIGHTS else Path(name).stem
    name = name.replace(":", "-")
    return name if name in ("", arch) else f"{name}-{arch}"


def convert(file: CheckpointFile, destination: output.Destination, dry_run: bool, as_json: bool) -> None:
    """Write an imported checkpoint as safetensors; what it was imported from goes into its training record."""
    model = checkpoint.restore(file)
    kept: dict[str, Any] = {name: file.meta[name] for name in ("imported", "preprocessing") if name in file.meta}
    if dry_run:
        resolved = {"schema": 1, "command": "train", "model": model.spec.to_json(), **kept}
        output.print_json(resolved | {"output": destination.name})
        return
    training = {"init": file.sha256, "epochs": 0, "epochs_done": 0}
    destination.write(checkpoint.to_bytes(model, **kept, training=training))
    described = {"path": destination.name, "arch": model.spec.arch}
    if as_json:
        output.print_json({"schema": 1, "command": "train", "checkpoint": described, "training": None})
    if destination.path:
        console.say(f"wrote {destination.name}")
