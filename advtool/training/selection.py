"""Which epoch of a run is kept. It follows from the history alone, so that a resumed run decides alike."""

from collections.abc import Sequence

from advtool.data.arrays import Images
from advtool.device import Settings
from advtool.evaluation.evaluate import evaluate
from advtool.models.classifier import Classifier
from advtool.threat import Threat
from advtool.training.config import TrainConfig

VALIDATION_STEPS = 10


def adversary(config: TrainConfig) -> Threat | None:
    """What validation attacks with: PGD of 10 steps at the radius trained for."""
    threat = config.threat
    if not (threat and config.attacks):
        return None
    return Threat.evaluation(threat.norm, threat.eps, VALIDATION_STEPS, random_start=threat.random_start)


def validate(model: Classifier, images: Images, config: TrainConfig, settings: Settings) -> dict:
    """``{"validation": {"clean_accuracy": …, "adversarial_accuracy": …}}``, the latter only with an adversary."""
    threat = adversary(config)
    report = evaluate(model, images, [threat] if threat else [], settings)
    found = {"clean_accuracy": report["clean"]["accuracy"]}
    for entry in report["adversarial"]:
        found["adversarial_accuracy"] = entry["accuracy"]
    return {"validation": found}


def chosen(history: Sequence[dict], select: str) -> int | None:
    """Index of the record that is kept: the last, or the first of the best in validation; never a collapsed one."""
    sound = [index for index, record in enumerate(history) if not record.get("collapsed")]
    if not sound:
        return None
    return sound[-1] if select == "last" else max(sound, key=lambda index: (score(history[index]), -index))


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
        threat = adversary(config)
        what = f"accuracy against {threat.norm} {threat.eps:.4g}, PGD-{threat.steps}," if threat else "accuracy"
        return {**found, "by": f"best {what} in validation", "accuracy": score(history[index])}
    if history[-1].get("collapsed"):
        return {**found, "by": f"last before catastrophic overfitting in epoch {history[-1]['epoch']}"}
    return {**found, "by": "last"}
