"""An evaluation from models and images to the report that ``advtool eval --json`` prints."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from advtool import device as devices
from advtool import distributed
from advtool.data.arrays import Images, complete
from advtool.device import Settings
from advtool.errors import AdvtoolError, UsageError
from advtool.evaluation import refusals
from advtool.evaluation.batch import Progress, unseen
from advtool.evaluation.plan import Evaluation
from advtool.evaluation.running import SCHEMA, Running, Subject
from advtool.evaluation.saving import Saver, saving
from advtool.io.head import Head
from advtool.io.unit import in_unit
from advtool.memory import images_at_a_time
from advtool.models.classifier import Classifier

Data = Images | tuple[Tensor, Tensor]
"""Images in memory, or (pixels in [0, 1], N×C×H×W; labels, N)."""


def evaluate(
    model: nn.Module | Mapping[str, nn.Module],
    images: Data,
    *,
    adv: str | Sequence[str] | None = None,
    eps: float | Sequence[float] = (),
    attack: str = "pgd",
    curve: bool = False,
    steps: int | Sequence[int] | None = None,
    step_size: float | None = None,
    search_step_size: bool = False,
    random_start: bool | None = None,
    restarts: int | None = None,
    loss: str | None = None,
    eot: int | None = None,
    calls: int | None = None,
    votes: bool = False,
    lam: float = 1.0,
    base: nn.Module | None = None,
    checks: bool = True,
    per_sample: str | Path | None = None,
    save_adversarial: str | Path | None = None,
    seed: int = 0,
    device: str | torch.device | None = None,
    batch_size: int | None = None,
    amp: bool | None = None,
    progress: Progress = unseen,
) -> dict[str, Any]:
    """Clean accuracy, and robust accuracy and risks under attack at one or more radii, with 95% intervals.

    Parameters
    ----------
    model : takes pixels in [0, 1], N×C×H×W, returns logits; left as it was found but for the device that it is on.
        Several by name make several reports
    adv : norm of the adversary, as ``l2`` or ``linf``; None for clean images only. Several: one who may take any
    eps : a radius or several, on the [0, 1] pixel scale; of several norms one each
    attack : a name of `advtool.registry`, ``autoattack``, or several separated by commas, each on what still stands
    curve : of attacks that look for the smallest perturbation: one run of them for all radii
    steps, step_size, random_start, restarts, loss, eot : options of the attacks; None for their defaults. Several
        numbers of steps make a curve of PGD
    search_step_size : of 1/4 to 4 times PGD's step size take the strongest
    calls : fresh calls that each image of a random model is judged by, 20 by default
    votes : a random model stands for its smoothed classifier: each image counts as what most of 100 calls answer, and
        attacks follow the mean gradient of 20
    lam : weight of the adversarial risk in the joint risk
    base : base classifier of the risks: a perturbation counts only where it keeps its answer
    checks : look for red flags on up to 100 images
    per_sample : JSON lines to write what became of each image to; an interrupted evaluation goes on from them
    save_adversarial : shard, or ``.npz``, to write the worst image of each sample to, see `saving`
    seed : of the random starts, and of the images that are drawn
    device : to compute on; by default where the model is
    batch_size : images at a time; by default by their size, at most 512
    amp : drive attacks in bfloat16, where successes are confirmed in float32; by default where it is faster
    progress : called with the number of images that were gone through

    Returns
    -------
    The report; for several models ``{"schema": …, "command": "eval", "models": [one for each]}``. Of a model without a
    name, ``path`` is None

    Raises
    ------
    UsageError
        naming the parameter, if parameters do not go together
    AdvtoolError
        if a model returns logits that are not finite, or `per_sample` cannot be written or is of another run
    """
    plan = Evaluation.of(
        adv=adv,
        eps=eps,
        attack=attack,
        curve=curve,
        steps=steps,
        step_size=step_size,
        search_step_size=search_step_size,
        random_start=random_start,
        restarts=restarts,
        loss=loss,
        eot=eot,
        calls=calls,
        lam=lam,
        base=base,
        per_sample=per_sample,
    )
    if votes:
        plan = plan.voting(calls)
    named = model if isinstance(model, Mapping) else {None: model}
    subjects = [Subject(each, name) for name, each in named.items()]
    check(plan, per_sample, len(subjects), save_adversarial)
    chosen = _device(device, subjects)
    data = images if isinstance(images, Images) else from_tensors(*images, model=subjects[0].model)
    size = batch_size or images_at_a_time(data.head.shape)
    settings = Settings(chosen, size, seed, devices.use_amp(amp, chosen))
    with saving(save_adversarial) as saver:
        reports = [
            report(
                plan,
                Subject(subject.model.to(chosen), subject.path),
                data,
                settings,
                base=None if base is None else Subject(base.to(chosen)),
                per_sample=per_sample,
                checks=checks,
                progress=progress,
                saver=saver,
            )
            for subject in subjects
        ]
    return together(reports) if isinstance(model, Mapping) else reports[0]


def check(
    plan: Evaluation, per_sample: str | Path | None, models: int, save_adversarial: str | Path | None = None
) -> None:
    """Raise UsageError for what cannot be done with so many models, or in so many processes."""
    if per_sample is not None and models > 1:
        raise UsageError("takes one model", parameter="per_sample")
    if save_adversarial is not None:
        refusals.saving(plan.stages, models, per_sample is not None)
    if distributed.processes().world > 1 and save_adversarial is not None:
        raise UsageError("is for one process", parameter="save_adversarial")
    if distributed.processes().world > 1 and per_sample is not None:
        raise UsageError("is for one process", parameter="per_sample")
    if distributed.processes().world > 1 and plan.searches:
        raise UsageError("is for one process", parameter="search_step_size")


def report(
    plan: Evaluation,
    subject: Subject,
    images: Images,
    settings: Settings,
    *,
    base: Subject | None = None,
    per_sample: str | Path | None = None,
    checks: bool = True,
    progress: Progress = unseen,
    saver: Saver | None = None,
) -> dict[str, Any]:
    """The report on one model. Where several processes work on it, each of them gets it."""
    running = Running(plan, subject, settings, base=base, per_sample=per_sample, checks=checks, saver=saver)
    running.add(images, progress)
    return running.report()


def together(reports: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Reports on several models as one."""
    return {"schema": SCHEMA, "command": "eval", "models": [*reports]}


def from_tensors(x: Tensor, y: Tensor, model: nn.Module | None = None) -> Images:
    """Tensors as images in memory, with their places as keys.

    Parameters
    ----------
    model : whose classes the labels are of, if it is a `Classifier`

    Raises
    ------
    UsageError
        if they are not pixels in [0, 1], N×C×H×W, with as many labels
    """
    if x.dim() != 4 or not x.is_floating_point() or len(x) != len(y) or not len(x):
        raise UsageError("must be float pixels N×C×H×W with N labels, N > 0", parameter="images")
    try:
        pixels = in_unit(x.detach().float().cpu().numpy())
    except AdvtoolError as error:
        raise UsageError(str(error), parameter="images") from None
    labels = y.detach().cpu().numpy().astype(np.int64)
    classes = model.spec.classes if isinstance(model, Classifier) else None
    known = Head(classes=classes, num_classes=len(classes) if classes else None)
    head = complete(known, tuple(pixels.shape[1:]), int(labels.max()))
    return Images(pixels, labels, [f"{index:08d}" for index in range(len(labels))], head, "tensors", None)


def _device(asked: str | torch.device | None, subjects: Sequence[Subject]) -> torch.device:
    if asked is not None:
        return asked if isinstance(asked, torch.device) else devices.choose(asked)[0]
    parameter = next(subjects[0].model.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device
