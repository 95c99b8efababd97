"""Certification from a model and images to the report that ``advtool certify --json`` prints."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from advtool import device as devices
from advtool.certification.plan import Certification
from advtool.certification.running import Certifying
from advtool.certification.votes import draws_at_a_time
from advtool.data.arrays import Images
from advtool.device import Settings
from advtool.evaluation.batch import Progress, unseen
from advtool.evaluation.run import Data, from_tensors
from advtool.evaluation.running import Subject


def certify(
    model: nn.Module,
    images: Data,
    sigma: float,
    *,
    n0: int = 100,
    samples: int | None = None,
    alpha: float = 0.001,
    radius: float | Sequence[float] = (),
    predict: bool = False,
    family: bool = False,
    bracket: bool = False,
    per_sample: str | Path | None = None,
    seed: int = 0,
    device: str | torch.device | None = None,
    batch_size: int | None = None,
    progress: Progress = unseen,
) -> dict[str, Any]:
    """Radii in which no perturbation changes the answer of a model smoothed with Gaussian noise (Cohen et al. 2019).

    Parameters
    ----------
    model : takes pixels N×C×H×W, in [0, 1] but for the noise, returns logits; left as it was found
    images : in memory, or (pixels in [0, 1], N×C×H×W; labels, N). Float pixels are rounded to a grid of 65,536 values
    sigma : standard deviation of the noise, on the [0, 1] pixel scale
    n0 : draws that choose the class of which the others decide
    samples : draws of an image at most; 100,000 by default, 1,000 for predictions
    alpha : chance, at most, that the guarantee of an image is wrong
    radius : the only l2 radii asked about, for which drawing stops once it is known whether they are certified
    predict : only what the smoothed classifier answers, or that it abstains
    family : alpha is for all images together
    bracket : look for the smallest perturbation that changes each answer, too
    per_sample : JSON lines to write what is guaranteed for each image to; an interrupted run goes on from them
    seed : of the draws, which belong to an image by its key
    device : to compute on; by default where the model is
    batch_size : draws at a time; by default by the size of the images
    progress : called with the number of images that were gone through

    Raises
    ------
    UsageError
        naming the parameter, if parameters do not go together
    AdvtoolError
        if the model returns logits that are not finite, another answer is found within a certified radius, or
        `per_sample` cannot be written or is of another run

    >>> import torch, advtool.certification
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))
    >>> report = advtool.certification.certify(model, (torch.rand(3, 1, 2, 2), torch.zeros(3).long()), 0.5, samples=100)
    >>> report["data"]["n"]
    3
    """
    asked: dict[str, Any] = {"radius": radius, "predict": predict, "family": family, "bracket": bracket}
    plan = Certification.of(n0=n0, samples=samples, alpha=alpha, **asked)
    first = next(model.parameters(), torch.zeros(0))
    chosen = first.device if device is None else devices.choose(str(device))[0]
    data = images if isinstance(images, Images) else from_tensors(*images, model=model)
    settings = Settings(chosen, batch_size or draws_at_a_time(data.head.shape), seed)
    running = Certifying(plan, Subject(model.to(chosen)), sigma, settings, n=len(data), per_sample=per_sample)
    running.add(data, progress)
    return running.report()
