"""Several checkpoints as one model that is attacked."""

from collections.abc import Iterable, Sequence

from torch import nn

from advtool import registry
from advtool.errors import AdvtoolError, UsageError
from advtool.io.checkpoints import CheckpointFile
from advtool.models.classifier import Classifier
from advtool.models.ensemble import Ensemble
from advtool.registry import Attack


def together(models: Sequence[Classifier], files: Sequence[CheckpointFile], averaged: str | None) -> nn.Module:
    """The one model, or all of them as an ensemble, `averaged` being ``logits`` or ``losses``.

    Raises
    ------
    AdvtoolError
        if they do not know the same classes in the same order
    """
    for model, file in zip(models, files, strict=True):
        if model.spec.classes != models[0].spec.classes:
            raise AdvtoolError(f"{file.path} and {files[0].path} know other classes: they are no ensemble")
    return models[0] if len(models) == 1 else Ensemble(models, averaged == "losses")


def check_averaged(averaged: str | None, checkpoints: int, attacks: Iterable[Attack]) -> None:
    """Raise UsageError where what is to be averaged has no use, or the attacks do not follow it."""
    if averaged is not None and checkpoints == 1:
        raise UsageError("is for several checkpoints", "ensemble", averaged)
    for attack in attacks:
        if averaged == "losses" and not attack.follows_losses:
            able = ", ".join(name for name, each in registry.ATTACKS.items() if each.follows_losses)
            raise UsageError(f"losses is for attacks that follow one: {able}, not for {attack.name}", "ensemble")
