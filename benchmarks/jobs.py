"""What is timed: jobs by name, ``LIBRARY:WHAT``. A job takes a problem and returns images, or figures of its own."""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

import advtool.attacks as ours
from advtool.device import use_amp
from advtool.norms import ball
from benchmarks import peers, plain
from benchmarks.nets import Problem

Job = Callable[[Problem], Tensor | dict[str, float]]
CPU = torch.device("cpu")


def find(name: str) -> Job:
    """The job of that name.

    Raises
    ------
    ImportError
        if its library is not installed
    """
    library, _, what = name.partition(":")
    if library == "advtool":
        return {"train": _train, "distill": _distill}.get(what) or _evaluation(what)
    if library == "plain":
        job: Job = getattr(plain, what)
        return job
    return peers.find(library, what)


def _evaluation(what: str) -> Job:
    """An evaluation as ``advtool eval`` makes it; for attacks that look for the smallest perturbation, the attack."""

    def evaluated(given: Problem) -> dict[str, float]:
        found = advtool_evaluate(given, what)
        (entry,) = found["adversarial"]
        return {"stand": entry["correct"], "distance": 0.0}

    def smallest(given: Problem) -> Tensor:
        function = {"cw": ours.cw, "ddn": ours.ddn}[what]
        more = {"binary_search_steps": 2} if what == "cw" else {}
        steps = given.steps(100)
        return function(given.model, given.x, given.y, ball("l2"), steps=steps, amp=use_amp(None, CPU), **more)

    return smallest if what in ("cw", "ddn") else evaluated


def advtool_evaluate(given: Problem, what: str) -> dict[str, Any]:
    from advtool.evaluation import evaluate

    counts = {"pgd": 50, "square": 1000, "autoattack": None}
    steps = counts.get(what, 100)
    asked = {"steps": 2} if given.warm_up else {"steps": steps} if steps else {}
    images = (given.x, given.y)
    return evaluate(given.model, images, adv=given.norm, eps=given.eps, attack=what, checks=False, **asked)


def _train(given: Problem) -> dict[str, float]:
    """An epoch as ``advtool train`` makes it, in batches of 128, from the weights that there are."""
    from advtool.threat import Threat
    from advtool.training.config import resolve
    from advtool.training.objectives import Batch, objective
    from advtool.training.options import Training

    model, seen = given.model, 0.0
    model.requires_grad_(True)
    asked = Training(adv=given.norm, eps=given.eps, label_smoothing=0.0, amp=use_amp(None, CPU))
    config = resolve(asked, model.spec.shape, False, use_amp(None, CPU))
    kind, threat = objective(model, config), Threat.training(given.norm, given.eps)
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9, weight_decay=5e-4)
    for x, y in zip(given.x.split(128), given.y.split(128), strict=True):
        model.train()
        batch = Batch(x, y, torch.arange(len(x)), 0, (threat,))
        outcome = kind.outcome(batch)
        optimizer.zero_grad()
        outcome.loss.backward()
        optimizer.step()
        seen += outcome.loss.item() * len(x)
    model.requires_grad_(False).eval()
    return {"loss": seen / len(given.x)}


def _distill(given: Problem) -> dict[str, float]:
    from advtool.datasets.distill import distill
    from advtool.datasets.representation import representation

    steps = given.steps(plain.DISTILLATION_STEPS)
    with representation(given.model) as g:
        drive = {}
        if "drive" in inspect.signature(distill).parameters:
            from advtool.prepared import prepare

            drive["drive"] = prepare(given.model, given.x, use_amp(None, CPU), part=g, layer="")
        *_, last = distill(g, given.x, given.x.flip(0), steps, 0.1, **drive)
    return {"distance": float(last.mean())}
