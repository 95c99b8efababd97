"""``advtool export``: a folder that others and advtool load to the same logits, and a card of what is known."""

import json

import pytest
import torch
from torch import nn

import advtool as library

SMALL = ["--arch", "mlp", "--hidden", "8", "--epochs", "1", "-n", "200"]


def test_plain_safetensors_and_advtool_give_the_same_logits(advtool, tmp_path):
    made = ["train", *SMALL, "--adv", "l2", "--eps", "0.5", "--steps", "2", "--test-limit", "50", "-o", "m.safetensors"]
    assert advtool(*made).returncode == 0
    report = advtool(
        "eval", "--ckpt", "m.safetensors", "--adv", "linf", "--eps", "0.1", "--attack", "fgsm", "--no-checks"
    )
    (tmp_path / "r.json").write_bytes(report.stdout)
    done = advtool("export", "--ckpt", "m.safetensors", "--report", "r.json", "--license", "mit", "-o", "published")
    assert done.returncode == 0, done.stderr.decode()
    folder = tmp_path / "published"
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    assert (folder / "model.safetensors").read_bytes() == (tmp_path / "m.safetensors").read_bytes()

    from safetensors.torch import load_file

    x = torch.rand(5, 1, 8, 8)
    weights, config = load_file(folder / "model.safetensors"), json.loads((folder / "config.json").read_text())
    hidden, out = (nn.functional.linear for _ in range(2))
    names = sorted({name.rpartition(".")[0] for name in weights})
    assert config["arch"] == "mlp" and config["num_classes"] == 10 and len(names) == 2
    plain = ((x - torch.tensor(config["mean"]).view(-1, 1, 1)) / torch.tensor(config["std"]).view(-1, 1, 1)).flatten(1)
    plain = hidden(plain, weights[f"{names[0]}.weight"], weights[f"{names[0]}.bias"]).relu()
    logits = out(plain, weights[f"{names[1]}.weight"], weights[f"{names[1]}.bias"])
    assert torch.allclose(library.load(folder)(x), logits, atol=1e-5)
    assert torch.equal(library.load(folder)(x), library.load(tmp_path / "m.safetensors")(x))

    card, found = (folder / "README.md").read_text(), json.loads(report.stdout)
    assert card.startswith("---\n") and 'license: "mit"' in card and "against: l2, eps 0.5, 2 steps" in card
    low, high = found["adversarial"][0]["ci95"]
    robust = f"{100 * found['adversarial'][0]['accuracy']:.2f}% | {100 * low:.2f}% to {100 * high:.2f}% | 360 |"
    assert f"| digits test | linf 0.1 | fgsm | {robust}" in card and "| digits test | l2 0.5 | pgd |" in card


def test_timm_loads_the_folder_of_its_network(advtool, tmp_path):
    timm = pytest.importorskip("timm")
    made = ["train", "--arch", "timm:test_resnet", "--epochs", "0", "-n", "20", "--data", "digits"]
    assert advtool(*made, "-o", "t.safetensors").returncode == 0
    assert advtool("export", "--ckpt", "t.safetensors", "-o", "published").returncode == 0
    theirs = timm.create_model(f"local-dir:{tmp_path / 'published'}", pretrained=True).eval()
    cfg, x = theirs.pretrained_cfg, torch.rand(3, 1, 8, 8)
    mean, std = (torch.tensor(cfg[name]).view(-1, 1, 1) for name in ("mean", "std"))
    with torch.no_grad():
        assert torch.allclose(theirs((x - mean) / std), library.load(tmp_path / "published")(x), atol=1e-5)


def test_what_cannot_be_exported_is_one_line(advtool, tmp_path, checkpoint):
    (tmp_path / "file").touch()
    (tmp_path / "bad.json").write_text('{"command": "train"}')
    assert advtool("export", "--ckpt", checkpoint, "-o", "there").returncode == 0
    for arguments, status, message in (
        ([], 2, b"-o"),
        (["-o", "file"], 2, b"--out file: is not a directory"),
        (["-o", "there"], 2, b"has model.safetensors already; -f replaces it"),
        (["-o", "new", "--report", "bad.json"], 1, b"bad.json: no report"),
        (["-o", "no/where"], 2, b"does not exist"),
    ):
        refused = advtool("export", "--ckpt", checkpoint, *arguments)
        assert (refused.returncode, refused.stderr.count(b"\n")) == (status, 1) and message in refused.stderr, arguments
    assert not (tmp_path / "new").exists()
    assert advtool("export", "--ckpt", checkpoint, "-f", "-o", "there").returncode == 0
