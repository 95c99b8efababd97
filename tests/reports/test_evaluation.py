"""Evaluation as others do it: images resized as the checkpoint says, and the same predictions as torchvision's loop."""

import json
from pathlib import Path

import numpy as np
import pytest
import shard_factory as make
import torch
import torchvision
from PIL import Image
from situations import Situation, run, table
from torch.utils.data import DataLoader
from torchvision import transforms

from advtool.data.arrays import load
from advtool.data.batches import to_float
from advtool.data.sources import resolve
from advtool.io import checkpoints, streams
from advtool.models.checkpoint import load as load_model
from advtool.preprocessing import Preprocessing

EVAL = ["eval", "--no-checks", "--json"]
SIDE = 24
COLOURS = {"blue": 2, "green": 1, "red": 0}


def photographs(directory: Path, sides=((30, 40), (50, 36), (64, 64))) -> Path:
    """Class folders of images whose colour is their class, in several sizes."""
    for name, channel in COLOURS.items():
        (directory / name).mkdir(parents=True)
        for number, (height, width) in enumerate(sides):
            pixels = np.random.default_rng(channel + number).integers(0, 90, (height, width, 3), dtype=np.uint8)
            pixels[..., channel] += 120
            Image.fromarray(pixels).save(directory / name / f"{number}.png")
    return directory


def model(directory: Path, path: str = "m.safetensors", *more: str) -> Path:
    options = ["--arch", "cnn-small", "--epochs", "6", "--augment", "none", "--size", str(SIDE), "--batch-size", "3"]
    assert run("train", "-q", "--data", directory, *options, "-o", path, *more)[0] == 0
    return Path(path)


def evaluated(*options: str):
    return lambda: [*EVAL, "--ckpt", model(photographs(Path("d"))), "--data", "d", *options]


def own_size(*options: str):
    """A model that wants 24 pixels of 32, and images that have 24 already."""

    def make():
        file = checkpoints.read(streams.open_path(model(photographs(Path("d")))))
        meta = {**file.meta, "preprocessing": {"size": SIDE, "crop_pct": 0.75}}
        meta.pop("schema")
        Path("n.safetensors").write_bytes(checkpoints.to_bytes(file.tensors, meta))
        return [*EVAL, "--ckpt", "n.safetensors", "--data", photographs(Path("e"), ((SIDE, SIDE),) * 3), *options]

    return make


def floats():
    made = [make.sample(f"k{n}", n, make.floats(n, side=30)) for n in range(3)]
    Path("f.tar").write_bytes(make.shard(made))
    return ["data", "f.tar", "--size", "8", "-o", "g.tar"]


SAID = {"size": SIDE, "crop_pct": 1.0, "interpolation": "bicubic", "crop_mode": "center"}
ROWS = [
    Situation("a size that training had", evaluated(), {"clean.correct": 9, "data.preprocessing": SAID}),
    Situation("another part", evaluated("--crop-pct", "24/32"), {"data.preprocessing": SAID | {"crop_pct": 0.75}}),
    Situation("another interpolation", evaluated("--interpolation", "bilinear"), {"clean.correct": 9}),
    Situation("squashed", evaluated("--crop-mode", "squash"), {"data.preprocessing": SAID | {"crop_mode": "squash"}}),
    Situation("a size that the model does not take", evaluated("--size", "20"), refused="images are 3×20×20"),
    Situation("images that have the size", own_size(), {"data.preprocessing": None}, says="not resized"),
    Situation(
        "images that have the size, and a size that is asked for", own_size("--size", "24"),
        {"data.preprocessing": SAID | {"crop_pct": 0.75}},
    ),
    Situation("float images", floats, refused="sample 'k0': float images are not resized"),
    Situation(
        "a part of no size", lambda: ["data", photographs(Path("d")), "--crop-pct", "0.5", "-o", "x.tar"],
        refused="--crop-pct: needs a --size",
    ),
    Situation(
        "a part above one", lambda: ["data", "digits", "--size", "8", "--crop-pct", "1.2", "-o", "x.tar"],
        refused="--crop-pct 1.2: must be at most 1",
    ),
]  # fmt: skip


@table(ROWS)
def test_row(row, tmp_path):
    row.check(tmp_path)


def test_attack_and_explain_resize_as_eval_does(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = ["--ckpt", model(photographs(Path("d"))), "--data", "d"]
    assert run("attack", *data, "--eps", "0", "--steps", "1", "-o", "a.tar", "-q")[0] == 0
    attacked, wanted = load(resolve("a.tar")), load(resolve("d"), preprocessing=Preprocessing(SIDE))
    assert torch.equal(torch.from_numpy(attacked.pixels.copy()), to_float(torch.from_numpy(wanted.pixels)))
    assert attacked.head.records[-1]["preprocessing"] == SAID
    status, out, err = run("explain", *data, "--json")
    assert status == 0 and json.loads(out)["data"]["preprocessing"] == SAID, err
    assert run("explain", *data, "--size", "20", "-o", "e.png")[0] == 1


def loop(net: torch.nn.Module, directory: Path, resize: int, crop: int) -> tuple[dict[str, int], torch.Tensor, int]:
    """(prediction of each file, all tensors, number right): torchvision's transforms and a plain loop."""
    steps = [transforms.Resize(resize), transforms.CenterCrop(crop), transforms.ToTensor()]
    images = torchvision.datasets.ImageFolder(directory, transforms.Compose(steps))
    normalise = transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    found, seen, right = [], [], 0
    with torch.inference_mode():
        for x, y in DataLoader(images, 50):
            predicted = net(normalise(x)).argmax(1)
            found += predicted.tolist()
            seen.append(x)
            right += int((predicted == y).sum())
    names = [str(Path(path).relative_to(directory).with_suffix("")) for path, _ in images.samples]
    return dict(zip(names, found, strict=True)), torch.cat(seen), right


def drawn_network(images: torch.Tensor, classes: int) -> torch.nn.Module:
    """torchvision's ResNet-18 with drawn weights, its statistics those of some images, its answers spread out."""
    torch.manual_seed(0)
    net = torchvision.models.resnet18(num_classes=classes)
    features: list[torch.Tensor] = []
    handle = net.fc.register_forward_hook(lambda module, inputs, output: features.append(inputs[0]))
    with torch.no_grad():
        for _ in range(3):
            net.train()(images)
        net.eval()(images)
        net.fc.bias.copy_(-net.fc.weight @ features[-1].mean(0))
    handle.remove()
    return net


def compare(directory: Path, resize: int, crop: int) -> int:
    """Both evaluations of a folder; returns how many classes are predicted."""
    start = [path for path in sorted(directory.rglob("*.*"))[::5]][:40]
    small = transforms.Compose([transforms.Resize(resize), transforms.CenterCrop(crop), transforms.ToTensor()])
    images = torch.stack([small(Image.open(path).convert("RGB")) for path in start])
    net = drawn_network(images, sum(path.is_dir() for path in directory.iterdir()))
    torch.save(net.state_dict(), "m.pt")
    wanted, seen, right = loop(net, directory, resize, crop)
    sizes = ["--size", crop, "--crop-pct", f"{crop}/{resize}", "--interpolation", "bilinear"]
    known = ["--ckpt", "m.pt", "--arch", "resnet18", "--normalize", "imagenet"]
    status, out, err = run(*EVAL, *known, "--data", directory, *sizes)
    assert status == 0 and json.loads(out)["clean"]["correct"] == right, err
    loaded = load(resolve(str(directory)), preprocessing=Preprocessing(crop, crop / resize, "bilinear"))
    order = {key: place for place, key in enumerate(loaded.keys)}
    ours = to_float(torch.from_numpy(loaded.pixels[[order[name] for name in wanted]]))
    assert torch.equal(ours, seen)
    classifier = load_model("m.pt", arch="resnet18", normalize="imagenet")
    with torch.inference_mode():
        found = torch.cat([classifier(x).argmax(1) for x in ours.split(64)])
    assert found.tolist() == list(wanted.values())
    return len({*wanted.values()})


def test_predictions_are_those_of_torchvisions_transforms_and_loop(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sides = ((90, 120), (130, 81), (80, 80), (79, 200), (72, 72))
    assert compare(photographs(tmp_path / "d", sides), 80, 72) > 1


@pytest.mark.slow
def test_predictions_for_photographs_are_those_of_torchvision(shared_data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.set_num_threads(2)
    assert compare(shared_data / "imagenet-sample", 256, 224) > 10
