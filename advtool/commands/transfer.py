"""What ``advtool transfer`` does once its options are read."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from advtool import device as devices
from advtool import distributed, norms
from advtool.cli import bars, console, output, standard
from advtool.cli.transfer import Transfer
from advtool.commands.attack import planned
from advtool.commands.checkpoints import applied, check_size, fit, open_checkpoint, preprocessing_of
from advtool.commands.ensembles import check_averaged, together
from advtool.data.parts import Parts
from advtool.data.sources import Source
from advtool.errors import UsageError
from advtool.evaluation.heat_map import plot_matrix, short
from advtool.evaluation.matrix import Matrix, transfer
from advtool.io.checkpoints import CheckpointFile
from advtool.memory import images_at_a_time
from advtool.models.checkpoint import restore
from advtool.models.classifier import Classifier
from advtool.preprocessing import Preprocessing
from advtool.registry import Planned

Files = list[CheckpointFile]


def run(options: Transfer) -> None:
    """Measure the matrix and report."""
    standard.check_stdout()
    if distributed.processes().world > 1:
        raise UsageError("transfer is for one process")
    attack = planned(options)
    check_averaged(options.ensemble, max(len(options.ckpt), 1), [attack.attack])
    if options.plot:
        output.check_figure(options.plot)
    device, reason = devices.choose(options.device)
    sources, targets, source = _opened(options)
    models, others = ([restore(file).to(device) for file in files] for files in (sources, targets))
    preprocessing = _preprocessing(options, [*zip(sources, models, strict=True), *zip(targets, others, strict=True)])
    size = options.batch_size or images_at_a_time(models[0].spec.shape)
    settings = devices.Settings(device, size, options.seed, devices.use_amp(options.amp, device))
    if options.dry_run:
        resolved = options.decided(applied(source, preprocessing))
        output.print_json(_resolved(resolved, attack, source, settings))
        return
    console.detail(f"device: {reason}")
    started = time.perf_counter()
    with Parts(source, options.limit, preprocessing, settings.batch_size) as parts:
        models, others = (
            [_fitted(model, file, parts, source) for file, model in zip(files, found, strict=True)]
            for files, found in ((sources, models), (targets, others))
        )
        if options.eps is not None:
            norms.check_radius(options.adv, options.eps, parts.shape)
        attacked: list[torch.nn.Module] = [*models]
        attacked += [together(models, sources, options.ensemble)] if options.ensemble else []
        total = None if parts.n is None else len(attacked) * parts.n
        with bars.bar(f"attacking ({attack.name})", total) as advance:
            found = transfer(attacked, others, parts, attack, settings, advance)
        classes = len(others[0].spec.classes if parts.head.classes is None else parts.head.classes)
    described = {"source": source.name, "split": source.split, "n": found.n, "classes": classes}
    rows = [_described(file, model) for file, model in zip(sources, models, strict=True)]
    rows += [{"path": f"ensemble ({options.ensemble})", "sha256": None, "arch": None}] if options.ensemble else []
    columns = [_described(file, model) for file, model in zip(targets, others, strict=True)]
    report = {
        "schema": 1,
        "command": "transfer",
        "data": described,
        "attack": {name: value for name, value in attack.to_json().items() if value is not None or name == "eps"},
        **_cells(found, rows, columns),
        "seed": options.seed,
        "device": str(device),
        "seconds": round(time.perf_counter() - started, 3),
    }
    if options.plot:
        plot_matrix(options.plot, report)
    if output.wants_json(options.json):
        output.print_json(report)
    else:
        _show(report)


def _opened(options: Transfer) -> tuple[Files, Files, Source]:
    """(checkpoints that are attacked, checkpoints that are shown the images, the images)."""
    sources, data = Files(), options.data
    for name in options.ckpt or (None,):
        file, data = open_checkpoint(name, data, options)
        sources.append(file)
    targets = [open_checkpoint(name, data, options)[0] for name in options.target]
    return sources, targets or sources, replace(options, data=data).open()


def _preprocessing(options: Transfer, found: Sequence[tuple[CheckpointFile, Classifier]]) -> Preprocessing | None:
    """How images are resized, for all models alike."""
    wanted = dict.fromkeys(options.preprocessing(preprocessing_of(file, model)) for file, model in found)
    if len(wanted) > 1:
        raise UsageError("the checkpoints want images of other sizes: --size says one for all", "ckpt")
    return next(iter(wanted))


def _fitted(model: Classifier, file: CheckpointFile, parts: Parts, source: Source) -> Classifier:
    """The model with its logits in the order of the data's classes; images that it does not take are refused."""
    check_size(model, parts.shape, source.name, file, "--size")
    return fit(model, parts.head, source.name, file)


def _described(file: CheckpointFile, model: Classifier) -> dict[str, Any]:
    return {"path": file.path, "sha256": file.sha256, "arch": model.spec.arch}


def _cells(found: Matrix, rows: list[dict[str, Any]], columns: list[dict[str, Any]]) -> dict[str, Any]:
    """Sources, targets with what they are without an attack, and the cells row by row."""
    known = {row["sha256"] for row in rows}  # of which an ensemble is made
    cells = [
        {
            "source": row["path"],
            "target": column["path"],
            "same": column["sha256"] in (known if row["sha256"] is None else {row["sha256"]}),
            **found.to_json(i, j),
        }
        for i, row in enumerate(rows)
        for j, column in enumerate(columns)
    ]
    targets = [{**column, "clean": found.clean_json(j)} for j, column in enumerate(columns)]
    return {"sources": rows, "targets": targets, "cells": cells}


def _resolved(options: Transfer, attack: Planned, source: Source, settings: devices.Settings) -> dict[str, Any]:
    """What a dry run shows."""
    decided: dict[str, Any] = {"batch_size": settings.batch_size, "device": str(settings.device), "amp": settings.amp}
    decided |= {name: value for name, value in attack.options.items() if hasattr(options, name)}
    decided_options = replace(options, data=source.name, split=source.split, **decided)
    made = {"attack": attack.to_json(), "source": source.name, "split": source.split}
    return {"schema": 1, "command": "transfer", **made, **decided_options.resolved()}


def _show(report: dict[str, Any]) -> None:
    """The matrix as a table: how many of the images that could fool each target do."""
    attack, data, targets = report["attack"], report["data"], report["targets"]
    eps = "" if attack["eps"] is None else f" {attack['eps']:.4g}"
    what = "given the label they carry" if attack.get("targeted") else "fooled"
    split = f" {data['split']}" if data["split"] else ""
    title = f"{what} by {attack['attack']}, {attack['adv']}{eps}, on {data['source']}{split}, {data['n']:,} images"
    rows = [["clean accuracy" if what == "fooled" else "before", *(_percent(t["clean"]["accuracy"]) for t in targets)]]
    for place, source in enumerate(report["sources"]):
        cells = report["cells"][place * len(targets) : (place + 1) * len(targets)]
        rows.append([short(source["path"]), *(_percent(cell["fooled"]["rate"]) for cell in cells)])
    console.show_table(title, ["made on", *(Path(short(each["path"])).name for each in targets)], rows)


def _percent(rate: float | None) -> str:
    return "" if rate is None else f"{100 * rate:.2f}%"
