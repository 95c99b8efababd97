"""Published weights out of the caches of timm and torchvision, which these tests fill themselves."""

import json

import pytest
import torch
import torchvision
from published_networks import randomised

from advtool.cli import main
from advtool.errors import AdvtoolError, UsageError
from advtool.models import pretrained
from advtool.models.checkpoint import restore

X = torch.rand(1, 3, 160, 160, generator=torch.Generator().manual_seed(1))


def refuse(*args, **kwargs):
    raise OSError("no network in tests\nand more lines")


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty cache of Hugging Face; what would go out to the network fails."""
    constants = pytest.importorskip("huggingface_hub").constants
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.file_download.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("socket.socket.connect", refuse)
    return tmp_path / "hub"


@pytest.fixture
def torch_cache(tmp_path, monkeypatch):
    """A cache of torch.hub, for files by their names."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    return tmp_path / "hub" / "checkpoints"


def fill(hub) -> torch.nn.Module:
    """Put weights of timm's test_resnet into the cache, as the library lays it out."""
    import safetensors.torch
    import timm

    net = randomised(timm.create_model("test_resnet"))
    folder = hub / "models--timm--test_resnet.r160_in1k"
    (folder / "snapshots" / "abc").mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("abc")
    safetensors.torch.save_file(net.state_dict(), folder / "snapshots" / "abc" / "model.safetensors")
    return net


@pytest.mark.parametrize("name", ["timm:test_resnet", "timm:test_resnet.r160_in1k"])
def test_weights_of_timm_out_of_the_cache(hub, name):
    pytest.importorskip("timm")
    theirs = fill(hub)
    file = pretrained.read(name, download=False)
    mine = restore(file)
    assert (mine.spec.arch, mine.spec.shape) == (name, (3, 160, 160)) and not file.own
    assert mine.spec.mean == (0.5,) * 3 and mine.spec.classes[:2] == ("n01440764", "n01443537")
    assert file.meta["preprocessing"] == {"size": 160, "crop_pct": 0.95, "interpolation": "bilinear"}
    with torch.no_grad():
        torch.testing.assert_close(mine(X), theirs((X - 0.5) / 0.5), rtol=1e-5, atol=1e-5)


def test_without_a_cache_it_is_said_where_it_was_looked_for(hub, torch_cache, monkeypatch):
    pytest.importorskip("timm")
    with pytest.raises(
        UsageError, match=r"^download: needed, .* not on disk \(looked for timm/test_resnet.r160_in1k in .*hub\)$"
    ):
        pretrained.read("timm:test_resnet", download=False)
    monkeypatch.setattr("timm.create_model", refuse)
    with pytest.raises(AdvtoolError, match="cannot get the weights of timm's test_resnet") as caught:
        pretrained.read("timm:test_resnet", download=True)
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match=r"^download: needed, .* not on disk \(looked for .*resnet18-f37072fd.pth\)$"):
        pretrained.read("resnet18", download=False)
    with pytest.raises(UsageError, match="nobody publishes weights of wrn-28-10"):
        pretrained.read("wrn-28-10", download=False)
    with pytest.raises(UsageError, match="timm has no such network"):
        pretrained.read("timm:resnet-18", download=False)


@pytest.mark.parametrize("name", ["resnet18", "googlenet"])
def test_weights_of_torchvision_out_of_the_cache(torch_cache, monkeypatch, name):
    options = {"transform_input": True, "init_weights": False} if name == "googlenet" else {}
    theirs = randomised(getattr(torchvision.models, name)(**options))
    weights = torchvision.models.get_model_weights(name).DEFAULT
    torch.save(theirs.state_dict(), torch_cache / weights.url.rsplit("/", 1)[-1])
    mine = restore(pretrained.read(name, download=False))
    assert mine.spec.classes[:2] == ("tench", "goldfish") and mine.spec.shape == (3, 224, 224)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.no_grad():
        wanted = theirs((X - mean.view(3, 1, 1)) / std.view(3, 1, 1))
        torch.testing.assert_close(mine(X), wanted, rtol=1e-4, atol=1e-5)


def test_the_command_converts_published_weights(hub, tmp_path, capsys):
    pytest.importorskip("timm")
    fill(hub)
    out = tmp_path / "ours.safetensors"
    line = ["train", "--arch", "timm:test_resnet", "--pretrained", "--epochs", "0"]
    main.app([*line, "-o", str(out), "--json"], prog_name="advtool", standalone_mode=False)
    assert json.loads(capsys.readouterr().out)["checkpoint"]["arch"] == "timm:test_resnet" and out.exists()
    for more, words in (
        (["--init", "x.pt"], "--init names others"),
        (["--width", "2"], "published weights are of the network as it is"),
    ):
        with pytest.raises(UsageError, match=words):
            main.app([*line, *more], prog_name="advtool", standalone_mode=False)
