"""What ``advtool verify`` does once its options are read."""

import contextlib
from collections.abc import Mapping

import numpy as np
import torch

from advtool import device as devices
from advtool.cli import console, output
from advtool.cli.verify import Verify
from advtool.commands.checkpoints import fit, open_checkpoint
from advtool.data import arrays, sources
from advtool.data.batches import to_float
from advtool.errors import UsageError
from advtool.evaluation.claims import Claim, verify
from advtool.memory import images_at_a_time
from advtool.models.checkpoint import restore


def run(options: Verify) -> None:
    """Check a claim and say what was found."""
    for name, value in (("claim", options.claim), ("data", options.data), ("ckpt", options.ckpt)):
        if not value:
            raise UsageError("is needed: advtool verify CLAIM.json --ckpt M.safetensors --data ADV.tar", name)
    claim = Claim.read(options.claim)
    device, _ = devices.choose(options.device)
    file, _ = open_checkpoint(options.ckpt, options.data, options)
    source = sources.resolve(str(options.data), None)
    model = restore(file).to(device)
    size = options.batch_size or images_at_a_time(model.spec.shape)
    settings = devices.Settings(device, size, 0, False)
    with contextlib.closing(source.open()) as reader:
        model = fit(model, reader.head, source.name, file)
        originals = _originals(options.source, reader.head.split) if options.source else None
        verdict = verify(claim, model, file.sha256, iter(reader), settings, originals)
    threats = [
        {"adv": threat.adv, "eps": threat.eps, "correct": standing, "accuracy": standing / verdict.n}
        for threat, standing in zip(claim.threats, verdict.standing, strict=True)
    ]
    found = {
        "schema": 1,
        "command": "verify",
        "holds": True,
        "n": verdict.n,
        "clean": verdict.clean,
        "threats": threats,
    }
    if output.wants_json(options.json):
        output.print_json({**found, "threats": threats, "originals": "compared" if originals else "as saved"})
        return
    for threat in threats:
        console.line(f"holds: at most {threat['correct']} of {verdict.n} stand at {threat['adv']} {threat['eps']:g}")


def _originals(name: str, split: str | None) -> Mapping[str, tuple[np.ndarray, int]]:
    """Images and labels of the data by key."""
    images = arrays.load(sources.resolve(name, split))
    pixels = to_float(torch.from_numpy(images.pixels)).numpy()
    return {key: (pixels[place], int(images.labels[place])) for place, key in enumerate(images.keys)}
