"""``advtool eval``: clean and robust accuracy of a checkpoint."""

import time
from typing import Annotated

import typer

from advtool.cli import console, options, output, parse
from advtool.errors import AdvtoolError, UsageError
from advtool.io.head import by
from advtool.threat import Threat

Ckpt = Annotated[
    str | None,
    typer.Option("--ckpt", metavar="FILE|-", help="Checkpoint. Default: stdin, if that carries safetensors."),
]
Restarts = Annotated[
    int,
    typer.Option("--restarts", metavar="R", min=1, help="PGD runs an image; all but the first start at random."),
]


def evaluate(
    ckpt: Ckpt = None,
    data: options.Data = None,
    split: options.Split = None,
    adv: options.Adv = "none",
    eps: options.EpsList = None,
    steps: options.Steps = None,
    step_size: options.StepSize = None,
    random_start: options.RandomStart = None,
    restarts: Restarts = 1,
    limit: options.Limit = None,
    data_root: options.DataRoot = None,
    download: options.Download = False,
    batch_size: options.BatchSize = None,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    amp: options.Amp = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    dry_run: options.DryRun = False,
) -> None:
    """Report clean accuracy, and robust accuracy under PGD at one or more radii, with 95% intervals.

    Reads the test split. The checkpoint may come from stdin: advtool train … | advtool eval --adv l2 --eps 0.5
    """
    console.set_level(quiet, verbose)
    norm, radii = parse.threat_model(adv, eps)
    size = None if step_size is None else parse.number(step_size, "--step-size")
    threats = [Threat.evaluation(norm, radius, steps, size, random_start, restarts) for radius in radii]
    file, data = _checkpoint(ckpt, data)

    from advtool import device as devices
    from advtool.data.arrays import load
    from advtool.data.sources import resolve
    from advtool.evaluation.evaluate import Settings
    from advtool.evaluation.evaluate import evaluate as run
    from advtool.models.checkpoint import restore

    source = resolve(data, split, default_split="test", data_root=data_root, download=download)
    model = restore(file)
    chosen, reason = devices.choose(device)
    settings = Settings(chosen, batch_size or 256, seed, devices.use_amp(amp, chosen))
    if dry_run:
        resolved = {
            "command": "eval",
            "checkpoint": file.path,
            "data": {"source": source.name, "split": source.split},
            "threats": [threat.to_json() for threat in threats],
            "device": str(chosen),
            "batch_size": settings.batch_size,
            "seed": seed,
            "amp": settings.amp,
        }
        output.print_json({"schema": 1, **resolved})
        return
    console.detail(f"device: {reason}")
    images = load(source, limit)
    check_fit(model, images, file)
    started = time.perf_counter()
    with console.bar("evaluating", len(images) * (1 + len(threats))) as advance:
        result = run(model.to(chosen), images, threats, settings, advance)
    seconds = time.perf_counter() - started
    report = {
        "schema": 1,
        "command": "eval",
        "checkpoint": {"path": file.path, "sha256": file.sha256, "arch": model.spec.arch},
        "data": {
            "source": images.name,
            "split": images.split,
            "n": len(images),
            "classes": images.head.num_classes,
        },
        **result,
        "flags": [],
        "seed": seed,
        "device": str(chosen),
        "seconds": round(seconds, 3),
        "images_per_second": round(len(images) * (1 + len(threats)) / seconds, 1),
    }
    if output.wants_json(json):
        output.print_json(report)
    else:
        show(report)


def check_fit(model, images, file) -> None:
    """Refuse data whose shape or classes the checkpoint was not made for."""
    spec, shape, classes = model.spec, images.head.shape, images.head.num_classes
    trained_on = (file.meta.get("data") or {}).get("source", "other data")
    where = f"{images.name} does not fit {file.path}"
    if tuple(shape) != tuple(spec.shape):
        raise AdvtoolError(
            f"{where}: images are {by(shape)}, the model takes {by(spec.shape)} (trained on {trained_on}; see --data)"
        )
    names = images.head.classes
    renamed = names != spec.classes[:classes] and names != tuple(map(str, range(classes)))
    if classes > len(spec.classes) or (classes < len(spec.classes) and renamed):
        raise AdvtoolError(
            f"{where}: {classes} classes, the model knows {len(spec.classes)} (trained on {trained_on}; see --data)"
        )


def show(report: dict, to_stderr: bool = False) -> None:
    """The report as a table."""
    data, clean = report["data"], report["clean"]
    rows = [["clean", "", *_cells(clean)]]
    for entry in report["adversarial"]:
        restarts = f" ×{entry['restarts']}" if entry["restarts"] > 1 else ""
        rows.append([f"{entry['adv']} {entry['eps']:.4g}", f"pgd-{entry['steps']}{restarts}", *_cells(entry)])
    checkpoint = report["checkpoint"]
    split = f" {data['split']}" if data["split"] else ""
    title = f"{checkpoint['path']} ({checkpoint['arch']}) on {data['source']}{split}, {data['n']:,} images"
    console.show_table(title, ["threat", "attack", "accuracy", "95% interval", "correct"], rows, to_stderr)


def _cells(entry: dict) -> list[str]:
    low, high = entry["ci95"]
    return [
        f"{100 * entry['accuracy']:.2f}%",
        f"{100 * low:.1f}–{100 * high:.1f}%",
        f"{entry['correct']:,}/{entry['n']:,}",
    ]


def _checkpoint(ckpt: str | None, data: str | None):
    """The checkpoint file, and the data source now that it is known what stdin carries."""
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
        raise UsageError("no checkpoint: pass --ckpt FILE, or pipe one in: advtool train … | advtool eval")
    return checkpoints.read(streams.open_path(ckpt)), data
