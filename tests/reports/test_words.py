"""Words: what is typed slightly wrong is answered with what was meant, and what is slightly off is read."""

import gzip
import io
import struct
import tarfile
from pathlib import Path

import numpy as np
from situations import Situation, table

TRAIN = ["train", "--arch", "linear", "--epochs", "1", "--json", "-o", "m.safetensors", "-q"]
RESNET = [*TRAIN[:2], "resnet18", "--width", "0.1", *TRAIN[3:]]
PIXELS, LABELS = np.zeros((4, 8, 8), np.uint8), np.arange(4) % 2


def checkpoint(name: str = "m.safetensors") -> str:
    """A file that begins as a checkpoint does."""
    Path(name).write_bytes((2).to_bytes(8, "little") + b"{}")
    return name


def shard(name: str, pixels: np.ndarray) -> str:
    """A shard of float images."""
    with tarfile.open(name, "w") as archive:
        for index, image in enumerate(pixels.astype("<f4")):
            array = io.BytesIO()
            np.save(array, image[None])
            for extension, data in (("npy", array.getvalue()), ("cls", str(index % 2).encode())):
                info = tarfile.TarInfo(f"{index:03d}.{extension}")
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return name


def archive(name: str = "a.npz", **arrays: np.ndarray) -> str:
    np.savez(name, **{"x": PIXELS, "y": LABELS, **arrays})
    return name


def floats(value: float) -> np.ndarray:
    """Images of 0.5 with one pixel of that value."""
    pixels = np.full((4, 8, 8), 0.5)
    pixels[1, 2, 3] = value
    return pixels


def gzipped(family: str, cut: int | None = None) -> list[str]:
    """MNIST or a like of it, six images as they are downloaded."""
    raw = Path("root", family, "raw")
    raw.mkdir(parents=True)
    images, labels = np.zeros((6, 28, 28), np.uint8), np.array([3, 1, 4, 1, 5, 9], np.uint8)
    for name, array in (("train-images-idx3-ubyte", images), ("train-labels-idx1-ubyte", labels)):
        header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
        (raw / f"{name}.gz").write_bytes(gzip.compress(header + array.tobytes())[:cut])
    names = {"MNIST": "mnist", "FashionMNIST": "fashion-mnist", "KMNIST": "kmnist"}
    return ["data", names[family], "--data-root", "root", "--split", "train", "--info", "--json"]


def npy(name: str) -> str:
    np.save(name, PIXELS)
    return name


def words(*arguments: object):
    """A command line that needs no input."""
    return lambda: arguments


ROWS = [
    Situation("a dataset's name mistyped", words("data", "cifar1O", "--info"), refused="did you mean cifar10 "),
    Situation("a dataset's name in capitals", words("train", "--data", "MNIST"), refused="did you mean mnist"),
    Situation("a dataset without its option", words("train", "cifar10"), refused="did you mean --data cifar10[?]"),
    Situation(
        "a checkpoint without its option",
        lambda: ["eval", checkpoint()],
        refused="did you mean --ckpt m.safetensors[?]",
    ),
    Situation(
        "a checkpoint by another name to train on",
        lambda: ["train", checkpoint("model.bin")],
        refused="did you mean --init model.bin[?]",
    ),
    Situation(
        "a shard without its option",
        lambda: ["attack", shard("my x.tar", floats(0))],
        refused="did you mean --data 'my x.tar'[?]",
    ),
    Situation(
        "a norm without its option", words("attack", "linf", "--eps", "8/255"), refused="did you mean --adv linf[?]"
    ),
    Situation("an option mistyped", words("train", "--epohcs", "3"), refused="'--epohcs': did you mean --epochs"),
    Situation("an option of theory mistyped", words("theory", "mle", "--mu-nrom", "1"), refused="'--mu-nrom'"),
    Situation("an option with one dash", words("train", "-epochs", "3"), refused="'-epochs': did you mean --epochs[?]"),
    Situation("a norm mistyped", words("attack", "--adv", "l3"), refused="did you mean l2 or l1 or l0[?]"),
    Situation(
        "an attack mistyped beside its options",
        words("eval", "--adv", "l2", "--eps", "1", "--attack", "pgdd", "--steps", "5"),
        refused="--attack: unknown attack 'pgdd': did you mean pgd ",
    ),
    Situation("an architecture in capitals", words("train", "--arch", "ResNet-18"), refused="did you mean resnet18 "),
    Situation("help for what there is not", words("help", "theory", "gausian"), refused="did you mean gaussian[?]"),
    Situation(
        "an l2 radius in levels of 255",
        words(*TRAIN, "--adv", "l2", "--eps", "128"),
        refused="--eps 128: .*images of 1×8×8 are at most 8 apart; did you mean 128/255[?]",
    ),
    Situation(
        "a last image alone before BatchNorm",
        words(*RESNET, "-n", "17", "--batch-size", "8"),
        report={"checkpoint.arch": "resnet18", "training.epoch": 1},
    ),
    Situation("a single image before BatchNorm", words(*RESNET, "-n", "1"), refused="BatchNorm of resnet18 .*only one"),
    Situation(
        "batches of one image before BatchNorm",
        words(*RESNET, "-n", "9", "--batch-size", "1"),
        refused="--batch-size 1: BatchNorm",
    ),
    Situation(
        "batches of one image without", words(*TRAIN, "-n", "3", "--batch-size", "1"), report={"training.epoch": 1}
    ),
    Situation(
        "a float above 1 by rounding",
        lambda: ["data", archive(x=floats(1.0000001)), "--verify", "--json"],
        report={"parts.0.good": 4, "parts.0.fault": None},
    ),
    Situation(
        "a float below 0 by rounding in a shard",
        lambda: ["data", shard("a.tar", floats(-1e-9)), "--verify", "--json"],
        report={"parts.0.good": 4, "parts.0.fault": None},
    ),
    Situation(
        "a float above 1 by more",
        lambda: ["train", "--data", shard("a.tar", floats(1.0001))],
        refused="pixels must lie in .*found 0.5 to 1.0001$",
    ),
    Situation(
        "floats up to 255", lambda: ["data", archive(x=floats(255.0)), "--info"], refused="to 255; divide them by 255"
    ),
    Situation(
        "MNIST as it is downloaded", lambda: gzipped("MNIST"), report={"parts.0.n": 6, "parts.0.num_classes": 10}
    ),
    Situation("KMNIST as it is downloaded", lambda: gzipped("KMNIST"), report={"parts.0.n": 6}),
    Situation(
        "Fashion-MNIST as it is downloaded",
        lambda: gzipped("FashionMNIST"),
        report={"parts.0.n": 6, "parts.0.classes.9": "Ankle boot"},
    ),
    Situation(
        "MNIST cut short",
        lambda: gzipped("MNIST", 25),
        refused="cannot read .*gzip stream cut short.*--download",
    ),
    Situation("MNIST of empty files", lambda: gzipped("MNIST", 0), refused="it is empty; .*--download"),
    Situation(
        "a data root without the set",
        words("data", "mnist", "--data-root", ".", "--info"),
        refused="train-images-idx3-ubyte.gz .*--download",
    ),
    Situation(
        "names of classes as bytes",
        lambda: ["data", archive(classes=np.array([b"cat", "dög".encode()])), "--info", "--json"],
        report={"parts.0.classes": ["cat", "dög"]},
    ),
    Situation(
        "names of classes as objects",
        lambda: ["data", archive(classes=np.array(["cat", None])), "--info"],
        refused="classes: an array of Python objects",
    ),
    Situation(
        "names of classes in two dimensions",
        lambda: ["data", archive(classes=np.array([["cat", "dog"]])), "--info"],
        refused="classes: must be a list of names, .*1×2",
    ),
    Situation(
        "images as an .npy",
        lambda: ["train", "--data", npy("x.npy")],
        refused=r"python -c 'import numpy as np; np.savez\(\"x.npz\", x=np.load\(\"x.npy\"\)",
    ),
]


@table(ROWS)
def test_row(row, tmp_path):
    row.check(tmp_path)
