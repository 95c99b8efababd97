"""Which epoch of a run is kept. It follows from the history alone, so that a resumed run decides alike."""

from collections.abc import Sequence
from typing import Any

from advtool import registry
from advtool.data.arrays import Images
from advtool.device import Settings
from advtool.evaluation.measure import accuracies
from advtool.models.classifier import Classifier
from advtool.registry import Planned
from advtool.training.config import TrainConfig
from advtool.values import listed

VALIDATION_STEPS = 10


def adversaries(config: TrainConfig) -> list[Planned]:
    """What validation attacks with: PGD of 10 steps in each norm at the radius trained for."""
    return _attacks(config, {"steps": VALIDATION_STEPS}) if config.attacks else []


def final_adversaries(config: TrainConfig) -> list[Planned]:
    """What the final test attacks with: PGD as in evaluation, in each norm at the radius trained for."""
    return _attacks(config, {})


def _attacks(config: TrainConfig, asked: dict[str, Any]) -> list[Planned]:
    pgd = registry.get("pgd")
    return [pgd.plan(threat.ball, {**asked, "random_start": threat.random_start}) for threat in config.threats]


def validate(model: Classifier, images: Images, config: TrainConfig, settings: Settings) -> dict:
    """``{"validation": {"clean_accuracy": …, "adversarial_accuracy": …}}``, the latter only with an adversary; of
    several norms it is the share that stands under all."""
    report = accuracies(model, images, adversaries(config), settings)
    found = {"clean_accuracy": report["clean"]["accuracy"]}
    for entry in (report["union"],) if "union" in report else report["adversarial"]:
        found["adversarial_accuracy"] = entry["accuracy"]
    return {"validation": found}


def chosen(history: Sequence[dict], select: str) -> int | None:
    """Index of the record that is kept, never of a collapsed one: the last, or the best in validation.

    Of those that are equally robust the one of highest clean accuracy, and of these the first.
    """
    sound = [index for index, record in enumerate(history) if not record.get("collapsed")]
    if not sound:
        return None
    if select == "last":
        return sound[-1]
    return max(sound, key=lambda i: (score(history[i]), history[i]["validation"]["clean_accuracy"], -i))


def is_over(history: Sequence[dict], epochs: int) -> bool:
    """Whether all epochs are done, or the last one collapsed."""
    return len(history) >= epochs or bool(history and history[-1].get("collapsed"))


def score(record: dict) -> float:
    """Robust accuracy in validation where there is an adversary, else clean accuracy."""
    found = record["validation"]
    return found.get("adversarial_accuracy", found["clean_accuracy"])


def explain(history: Sequence[dict], config: TrainConfig) -> dict | None:
    """Which epoch is kept and why, for the report; None before the first."""
    index = chosen(history, config.select)
    if index is None:
        return None
    found = {"epoch": history[index]["epoch"], "of": config.epochs}
    if config.select == "best":
        attacks, what = adversaries(config), "accuracy"
        if attacks:
            balls = listed([f"{attack.ball.name} {attack.ball.eps:.4g}" for attack in attacks], "and")
            what = f"accuracy against {balls}, PGD-{VALIDATION_STEPS},"
        return {**found, "by": f"best {what} in validation", "accuracy": score(history[index])}
    if history[-1].get("collapsed"):
        return {**found, "by": f"last before catastrophic overfitting in epoch {history[-1]['epoch']}"}
    return {**found, "by": "last"}
