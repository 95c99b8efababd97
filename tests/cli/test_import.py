"""PyTorch files, archives and feature selection through the real command."""

import argparse
import hashlib
import json
from collections import OrderedDict

import numpy as np
import pytest
import torch

import advtool as library
from advtool.data.arrays import load
from advtool.data.sources import resolve


@pytest.fixture(scope="module")
def linear_file(tmp_path_factory):
    """A linear model of the digits in robustness' layout, saved by torch.save."""
    images = load(resolve("digits"))
    x = torch.tensor(images.pixels).flatten(1) / 255
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
    torch.manual_seed(0)
    optimizer = torch.optim.Adam(net.parameters(), 0.05)
    for _ in range(100):
        loss = torch.nn.functional.cross_entropy(net((x - 0.3) / 0.4), torch.tensor(images.labels))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    state = OrderedDict()
    for prefix, normaliser in (
        ("module.model.", "module.normalizer."),
        ("module.attacker.model.", "module.attacker.normalize."),
    ):
        state |= {prefix + name: tensor for name, tensor in net.state_dict().items()}
        state |= {
            normaliser + "new_mean": torch.full((1, 1, 1), 0.3),
            normaliser + "new_std": torch.full((1, 1, 1), 0.4),
        }
    path = tmp_path_factory.mktemp("imported") / "linear.pt"
    torch.save({"model": state, "epoch": 100, "optimizer": optimizer.state_dict()}, path)
    return path


def test_evaluation_conversion_and_attack_of_a_pytorch_file(advtool, linear_file, tmp_path):
    report = advtool(
        "eval", "--ckpt", linear_file, "--arch", "linear", "--json", "--adv", "l2", "--eps", "0.3", "-n", "100"
    )
    assert report.returncode == 0, report.stderr
    report = json.loads(report.stdout)
    assert report["clean"]["accuracy"] > 0.9
    assert report["checkpoint"]["sha256"] == hashlib.sha256(linear_file.read_bytes()).hexdigest()

    converted = tmp_path / "linear.safetensors"
    made = advtool("train", "--init", linear_file, "--arch", "linear", "--epochs", "0", "-o", converted)
    assert made.returncode == 0, made.stderr
    model, original = library.load(converted), library.load(linear_file, arch="linear")
    assert model.spec.mean == pytest.approx((0.3,)) and model.spec.std == pytest.approx((0.4,))
    x = torch.rand(3, 1, 8, 8)
    assert torch.equal(model(x), original(x))
    again = json.loads(
        advtool("eval", "--ckpt", converted, "--json", "--adv", "l2", "--eps", "0.3", "-n", "100").stdout
    )
    for entry in (*report["adversarial"], *again["adversarial"]):
        assert entry.pop("breakdown")[0].pop("seconds") >= 0
    assert (again["clean"], again["adversarial"]) == (report["clean"], report["adversarial"])

    attacked = advtool(
        "attack", "--ckpt", linear_file, "--arch", "linear", "--eps", "0.3", "-n", "5", "-o", tmp_path / "a.tar"
    )
    assert attacked.returncode == 0 and len(load(resolve(str(tmp_path / "a.tar")))) == 5


def test_training_goes_on_from_a_pytorch_file(advtool, linear_file, tmp_path):
    out = tmp_path / "m.safetensors"
    done = advtool(
        "train", "--init", linear_file, "--arch", "linear", "--epochs", "1", "--lr", "1e-9", "-n", "64", "-o", out
    )
    assert done.returncode == 0, done.stderr
    model, original = library.load(out), library.load(linear_file, arch="linear")
    x = torch.rand(3, 1, 8, 8)
    torch.testing.assert_close(model(x), original(x), rtol=0, atol=1e-4)
    assert model.spec.mean == original.spec.mean and model.spec.classes == tuple("0123456789")


def test_what_is_refused_is_refused_in_one_line(advtool, linear_file, tmp_path):
    content = torch.load(linear_file, weights_only=True)
    unsafe = tmp_path / "unsafe.pt"
    torch.save(content | {"args": argparse.Namespace()}, unsafe)
    ambiguous = tmp_path / "ambiguous.pt"
    torch.save({"encoder.weight": torch.ones(3, 4)}, ambiguous)
    for arguments, status, word in (
        (["eval", "--ckpt", unsafe, "--arch", "linear"], 1, "argparse.Namespace"),
        (["eval", "--ckpt", ambiguous], 2, "--arch"),
        (["train", "--init", linear_file, "--arch", "resnet18", "--epochs", "0", "-o", tmp_path / "m"], 1, "resnet18"),
        (["attack", "--ckpt", linear_file, "--arch", "linear", "--normalize", "1", "--eps", "1"], 2, "--normalize"),
    ):
        done = advtool(*arguments)
        errors = [line for line in done.stderr.decode().splitlines() if line.startswith("advtool: error: ")]
        assert (done.returncode, len(errors)) == (status, 1), done.stderr
        assert word in errors[0] and done.stdout == b""
    assert not (tmp_path / "m").exists()


def test_an_archive_is_trained_on_with_few_pixels(advtool, tmp_path):
    parts = {split: load(resolve("digits", split)) for split in ("train", "test")}
    arrays = {f"x_{s}": part.pixels[:, 0] for s, part in parts.items()} | {f"y_{s}": p.labels for s, p in parts.items()}
    np.savez(tmp_path / "digits.npz", **arrays)
    done = advtool(
        "train", "--data", "digits.npz", "--arch", "linear", "--top-pixels", "20", "--json", "-o", "m.safetensors"
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["data"] == {"source": "digits.npz", "split": "test", "n": 360} and report["clean"]["accuracy"] > 0.7
    assert len(library.load(tmp_path / "m.safetensors").spec.pixels) == 20
