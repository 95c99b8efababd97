"""A command of the documentation on less data, in fewer steps: values become smaller, limits are added.

No option is ever dropped.
"""

import itertools

CAPS = {
    "-n": 48,
    "--samples": 400,
    "--columns": 4,
    "--epochs": 1,
    "--eps-warmup": 1,
    "--points": 3,
    "--size": 32,
    "--steps": 2,
    "--trials": 2,
    "--workers": 2,
}
"""The largest value that an option keeps; of a list, of each of its values."""

FLAGS = {"--amp": "--no-amp"}  # bfloat16 is slow where there are no instructions for it

SMALLER = {"--arch": {"resnet50": "resnet18"}, "--data": {"cifar10": "cifar10/"}}
"""Values that stand for others; ``cifar10/`` holds shards."""

IMAGES = {"attack": "16", "certify": "4", "distill": "48", "eval": "16", "explain": "2", "relabel": "48", "train": "48"}
"""Images that a command uses where the documentation lets it use all."""

_TAKE_CHECKPOINTS = {"attack", "certify", "distill", "eval", "explain"}


def smaller(arguments: list[str], piped: bool) -> list[str]:
    """The arguments of a command, made smaller; `piped` says that its stdin is a pipe."""
    if arguments[:1] == ["theory"] and "--check" in arguments:
        return [*arguments, "--samples", "2000"]
    if not arguments or arguments[0] not in (*IMAGES, "data"):
        return arguments
    capped = [arguments[0]]
    for option, value in itertools.pairwise(arguments):
        capped.append(_value(option, value))
    return capped + _added(capped[0], capped, piped)


def _value(option: str, value: str) -> str:
    if option in CAPS:
        return ",".join(dict.fromkeys(str(min(int(part), CAPS[option])) for part in value.split(",")))
    return SMALLER.get(option, {}).get(value, FLAGS.get(value, value))


def _added(command: str, given: list[str], piped: bool) -> list[str]:
    images_piped = piped and "--data" not in given and (command not in _TAKE_CHECKPOINTS or "--ckpt" in given)
    added: list[str] = []
    if command == "data":
        return added
    converts = "--init" in given and "0" in given and "--data" not in given  # no images are read
    if "-n" not in given and not images_piped and not converts:  # a reader that stops early would break its pipe
        added += ["-n", IMAGES[command]]
    if command == "train":
        added += [] if "--epochs" in given else ["--epochs", "1"]
        added += ["--test-limit", "8"] if "--adv" in given else []
        added += ["--width", "0.1"] if _is_large(given) else []
    elif command == "explain":
        stepwise = {"large-eps", "interpolate", "integrated-gradients"} & {*given}
        added += ["--steps", "2"] if stepwise and "--steps" not in given else []
    elif command == "distill" or command == "attack" or (command == "eval" and "--adv" in given):
        added += [] if "--steps" in given or "fgsm" in given else ["--steps", "2"]
        added += ["--no-checks"] if command == "eval" and not {"--strict", "--checks"} & {*given} else []
    return added


def _is_large(given: list[str]) -> bool:
    by_size = "--arch" not in given and bool({"cifar10/", "imagenet/", "imagenette/"} & {*given})
    return (by_size or "resnet18" in given) and not {"--width", "--init"} & {*given}
