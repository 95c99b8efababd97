"""Which epoch of a run is kept. It follows from the history alone, so that a resumed run decides alike."""

from collections.abc import Sequence

from advtool import registry
from advtool.data.arrays import Images
from advtool.device import Settings
from advtool.evaluation.measure import accuracies
from advtool.models.classifier import Classifier
from advtool.registry import Planned
from advtool.training.config import TrainConfig

VALIDATION_STEPS = 10


def adversary(config: TrainConfig) -> Planned | None:
    """What validation attacks with: PGD of 10 steps at the radius trained for."""
    threat = config.threat
    if not (threat and config.attacks):
        return None
    asked = {"steps": VALIDATION_STEPS, "random_start": threat.random_start}
    return registry.get("pgd").plan(threat.ball, asked)


def final_adversary(config: TrainConfig) -> Planned | None:
    """What the final test attacks with: PGD as in evaluation, at the radius trained for."""
    threat = config.threat
    return registry.get("pgd").plan(threat.ball, {"random_start": threat.random_start}) if threat else None


def validate(model: Classifier, images: Images, config: TrainConfig, settings: Settings) -> dict:
    """``{"validation": {"clean_accuracy": …, "adversarial_accuracy": …}}``, the latter only with an adversary."""
    attack = adversary(config)
    report = accuracies(model, images, [attack] if attack else [], settings)
    found = {"clean_accuracy": report["clean"]["accuracy"]}
    for entry in report["adversarial"]:
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
        attack, what = adversary(config), "accuracy"
        if attack:
            what = f"accuracy against {attack.ball.name} {attack.ball.eps:.4g}, PGD-{attack.options['steps']},"
        return {**found, "by": f"best {what} in validation", "accuracy": score(history[index])}
    if history[-1].get("collapsed"):
        return {**found, "by": f"last before catastrophic overfitting in epoch {history[-1]['epoch']}"}
    return {**found, "by": "last"}
