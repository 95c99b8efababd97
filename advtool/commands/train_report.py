"""What training says on its way and reports at its end."""

from advtool.cli import console, output
from advtool.commands.report import show
from advtool.launchers import processes
from advtool.training.config import TrainConfig
from advtool.training.overfitting import misled
from advtool.training.run import TrainingRun
from advtool.training.state import State
from advtool.values import listed

_OVERFITS = 100


def announce(run: TrainingRun, reason: str, start: State | None) -> None:
    """Say what is trained, how and on what."""
    config = run.config
    where = "streamed from" if run.data.streamed else "of"
    console.say(
        f"training {run.model.spec.arch} {_how(config)}: {config.epochs} epochs, {run.data.n:,} images {where}"
        f" {run.source.name}, on {reason}"
    )
    if config.attacks and config.epochs >= _OVERFITS and not config.val and run.data.head.shape[1] > 28:
        console.say("robust accuracy overfits in long runs (Rice et al. 2020): --val 0.1 keeps the best epoch")
    if start:
        where = f", batch {start.within.step}" if start.within else ""
        console.say(f"resuming after epoch {len(start.history)}{where}{_planned(start)}")
        if start.processes != (now := processes().world):
            console.say(f"the state is of {start.processes} processes, now there are {now}: sums differ by rounding")


def _planned(start: State) -> str:
    """What is new where a run goes on that was planned for fewer epochs."""
    if not start.extended or start.extended[-1]["after"] != len(start.history):
        return ""
    fresh = "" if start.moments else "; the optimizer begins anew, since --keep-state did not keep its moments"
    return f" of {start.extended[-1].get('epochs')}: the rate is now that of the longer run{fresh}"


def report(run: TrainingRun, destination: output.Destination, metrics: dict, json: bool) -> None:
    """Report a run as one line of JSON, a table, or lines on stderr."""
    described = {"path": destination.name, "arch": run.model.spec.arch}
    if json:
        last = run.history[-1] if run.history else None
        measured = {"training": last, "history": run.history, "selected": run.selected, **metrics}
        output.print_json({"schema": 1, "command": "train", "checkpoint": described, **measured})
    elif metrics and console.shows_bars():
        show({"checkpoint": described, **metrics}, to_stderr=True)
    elif metrics:
        for entry in ({"adv": "clean", **metrics["clean"]}, *metrics["adversarial"]):
            threat = f"{entry['adv']} {entry['eps']:.4g}" if "eps" in entry else entry["adv"]
            console.say(f"test accuracy, {threat}: {100 * entry['accuracy']:.2f}% of {entry['n']:,}")
        if "union" in metrics:
            console.say(f"test accuracy under all: {100 * metrics['union']['accuracy']:.2f}%")
    for name, accuracy in (run.history[-1] if run.history else {}).get("accuracy", {}).items():
        console.say(f"accuracy on {name} after the last epoch: {100 * accuracy:.2f}%")
    if metrics.get("adversarial") and run.config.label_smoothing:
        console.say(
            f"label smoothing {run.config.label_smoothing:g} makes the loss harder to attack: PGD overestimates, eval"
            " --attack autoattack tells"
        )
    selected = run.selected
    if selected and misled(kept := run.history[selected["epoch"] - 1]):
        one, many = (f"{100 * kept[name]:.1f}%" for name in ("adversarial_accuracy", "pgd_accuracy"))
        console.say(
            f"warning: against its one step {one} of the training images stand, against PGD only {many}: this is no"
            " robustness; a smaller --step-size may help, or --objective pgd"
        )
    if selected and selected["by"] != "last":
        accuracy = f" ({100 * selected['accuracy']:.2f}%)" if "accuracy" in selected else ""
        console.say("kept epoch {epoch} of {of}: {by}".format(**selected) + accuracy)
    if destination.path and not run.taken_over:
        console.say(f"wrote {destination.name}")


def _how(config: TrainConfig) -> str:
    threat = config.threat
    if not threat or not config.attacks:
        return f"with noise {config.noise:.4g}" if config.noise else "plainly"
    steps = f"PGD-{threat.steps}"
    kind = {
        "pgd": steps,
        "trades": f"TRADES β {config.beta:g}, {steps}",
        "mart": f"MART β {config.beta:g}, {steps}",
        "n-fgsm": f"one step of {threat.step_size:.4g} from noise",
        "fast": f"one step of {threat.step_size:.4g}",
        "free": f"free with {config.replays} replays",
    }[config.objective]
    joint = f", λ {config.lam:g}" if config.lam != 1 else ""
    joint += f", smoothed over noise {config.noise:g}" if config.noise else ""
    joint += f", weights perturbed by {config.awp:g}" if config.awp else ""
    balls = listed([f"{each.norm} eps {each.eps:.4g}" for each in config.threats], "and")
    which = {"random": ", a random one each batch", "worst": ", the worst for each image"}.get(config.union or "", "")
    return f"against {balls}{which}, {kind}{joint}"
