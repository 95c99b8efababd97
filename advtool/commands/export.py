"""What ``advtool export`` does once its options are read."""

import json
from pathlib import Path

from advtool.cli import console, output
from advtool.cli.export import Export
from advtool.commands.card import card
from advtool.commands.checkpoints import open_checkpoint
from advtool.errors import AdvtoolError, UsageError
from advtool.io import checkpoints, foreign
from advtool.io.atomic import whole_file
from advtool.models.checkpoint import restore
from advtool.models.classifier import ModelSpec
from advtool.models.timm_nets import PREFIX

CARD = "README.md"


def run(options: Export) -> None:
    """Write the folder."""
    if options.out is None:
        raise UsageError("needs the folder to write: -o DIR", "out")
    place = Path(options.out)
    names = (foreign.WEIGHTS[0], foreign.CONFIG, CARD)
    if place.exists() and not place.is_dir():
        raise UsageError("is not a directory", "out", place)
    if not options.force and (there := [name for name in names if (place / name).exists()]):
        raise UsageError(f"has {there[0]} already; -f replaces it", "out", place)
    output.check_directory(place if place.is_dir() else place.absolute().parent)
    file, _ = open_checkpoint(options.ckpt, None, options)
    spec = restore(file).spec
    reports = [_report(name) for name in options.report]
    config = json.dumps(_config(spec), indent=1)
    contents = (
        checkpoints.to_bytes(file.tensors, file.meta),
        f"{config}\n".encode(),
        card(place.name, spec, file.meta, reports, options.license).encode(),
    )
    place.mkdir(exist_ok=True)
    for name, content in zip(names, contents, strict=True):
        with whole_file(place / name) as written:
            written.write(content)
    console.say(f"wrote {', '.join(names)} to {place}")


def _config(spec: ModelSpec) -> dict:
    """What other programs need to build the network around the weights; for timm's networks as timm has it."""
    described = {"num_classes": len(spec.classes), "label_names": [*spec.classes]}
    images = {"input_size": [*spec.shape], "mean": [*spec.mean], "std": [*spec.std]}
    args = {"args": spec.args} if spec.args else {}
    if spec.arch.startswith(PREFIX):
        cfg = {**described, **images}
        made = {"in_chans": spec.shape[0], **spec.args.get("settings", {})}
        named = {"architecture": spec.arch.removeprefix(PREFIX), "model_args": made}
        return {**named, **described, "pretrained_cfg": cfg}
    return {"library_name": "advtool", "arch": spec.arch, **args, **described, **images}


def _report(name: str) -> dict:
    found = foreign.read_json(Path(name))
    if found.get("command") != "eval" or not isinstance(found.get("clean"), dict):
        raise AdvtoolError(f"{name}: no report of one checkpoint by eval --json")
    return found
