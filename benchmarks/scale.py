"""What large work takes, from rates that are measured or assumed: ``python -m benchmarks.scale``; see docs/scale.md.

Each rate is an option, so that the tables can be made for other machines.
"""

import argparse
from dataclasses import dataclass, fields

HOUR, DAY = 3600.0, 86400.0


@dataclass(frozen=True)
class Rates:
    """What one device does.

    Attributes
    ----------
    flops : of an accelerator, sustained, per second
    forward : floating-point operations of a forward pass of an image
    parameters : of the network
    decode : images that a core decodes and crops, per second
    cores : for each accelerator
    link : bytes that an accelerator sends to the others, per second
    disk : bytes that a worker reads, per second
    write : bytes that a worker writes into shards, per second
    photo : bytes of an image as it is stored
    batch : images of an accelerator's step
    """

    flops: float = 100e12
    forward: float = 8.2e9
    parameters: float = 25.6e6
    decode: float = 612.0
    cores: float = 8.0
    link: float = 20e9
    disk: float = 200e6
    write: float = 240e6
    photo: float = 110e3
    batch: float = 64.0


@dataclass(frozen=True)
class Estimate:
    """A time in seconds and what it is bound by."""

    seconds: float
    bound: str


def training(rates: Rates, images: float, epochs: float, steps: int, devices: int) -> Estimate:
    """Adversarial training with PGD of so many steps.

    In forward passes an image costs 1 to know whether it is right, 2 for each step of the attack, whose backward pass
    is by the image alone, and 3 for the step of the weights. Gradients of 4 bytes go round a ring while the backward
    pass of that step, 2 of the 3, is under way; what it takes longer is waited for.
    """
    passes = 1 + 2 * steps + 3
    compute = rates.batch * passes * rates.forward / rates.flops
    sent = 2 * (devices - 1) / devices * 4 * rates.parameters / rates.link
    waited = max(0.0, sent - compute * 2 / passes)
    decoded = rates.batch / (rates.decode * rates.cores)
    step = max(compute + waited, decoded)
    bound = (
        "decoding" if decoded > compute + waited else "the network between devices" if waited > compute else "compute"
    )
    return Estimate(epochs * images / (rates.batch * devices) * step, bound)


def distilling(rates: Rates, images: float, steps: int, workers: int, size: int = 224) -> Estimate:
    """A set like D_R, by workers of one accelerator each, which fill a directory by ``--shard-index``.

    A step is a forward pass and a backward pass by the image. What is written is float32. Every worker passes over all
    images to find its own, so that reading does not get shorter with more workers.
    """
    own = images / workers
    parts = {
        "compute": own * 2 * steps * rates.forward / rates.flops,
        "writing": own * 4 * 3 * size**2 / rates.write,
        "reading past the others' images": images * rates.photo / rates.disk,
    }
    bound = max(parts, key=lambda name: parts[name])
    return Estimate(max(parts["compute"] + parts["writing"], parts["reading past the others' images"]), bound)


def table(rates: Rates) -> str:
    """ImageNet on 1, 8 and 64 devices, and D_R of 1.3 and 100 million images on 1 to 1,000 workers, in Markdown."""
    lines = ["| work | devices | time | bound by |", "|---|---|---|---|"]
    for steps in (3, 7):
        for devices in (1, 8, 64):
            found = training(rates, 1_281_167, 90, steps, devices)
            lines.append(f"| ImageNet, PGD-{steps}, 90 epochs | {devices} | {_time(found.seconds)} | {found.bound} |")
    for images, called in ((1.3e6, "1.3"), (100e6, "100")):
        for workers in (1, 10, 100, 1000):
            found = distilling(rates, images, 2000, workers)
            lines.append(f"| D_R of {called} million images | {workers} | {_time(found.seconds)} | {found.bound} |")
    return "\n".join(lines)


def _time(seconds: float) -> str:
    return f"{seconds / DAY:,.1f} days" if seconds >= 2 * DAY else f"{seconds / HOUR:.1f} hours"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for each in fields(Rates):
        parser.add_argument(f"--{each.name}", type=float, default=each.default)
    print(table(Rates(**vars(parser.parse_args()))))


if __name__ == "__main__":
    main()
