"""Folders and files as timm and transformers write them give the logits of the module that was saved."""

import json
from pathlib import Path

import pytest
import safetensors.torch
import torch
from published_networks import randomised

import advtool
from advtool.errors import AdvtoolError, UsageError
from advtool.io.streams import open_path
from advtool.models import importing
from advtool.models.checkpoint import restore, to_bytes
from advtool.models.normalisers import CheckpointWarning

NAMES = {0: "cat", 1: "dog", 2: "fox"}
LABELS = {"id2label": NAMES, "label2id": {name: index for index, name in NAMES.items()}}


def assert_same_logits(mine, theirs) -> None:
    x = torch.rand(2, *mine.spec.shape, generator=torch.Generator().manual_seed(1))
    z = (x - torch.tensor(mine.spec.mean).view(-1, 1, 1)) / torch.tensor(mine.spec.std).view(-1, 1, 1)
    with torch.no_grad():
        output = theirs(z)
        wanted = output if isinstance(output, torch.Tensor) else output.logits
        torch.testing.assert_close(mine(x), wanted, rtol=1e-5, atol=1e-5)


def through_a_checkpoint(path, tmp_path):
    """The model out of a converted checkpoint, and its metadata."""
    file = importing.read_path(path)
    kept = {name: file.meta[name] for name in ("imported", "preprocessing") if name in file.meta}
    (tmp_path / "ours.safetensors").write_bytes(to_bytes(restore(file), **kept))
    again = importing.read(open_path(tmp_path / "ours.safetensors"))
    assert again.own
    return restore(again), again.meta


@pytest.fixture
def timm():
    return pytest.importorskip("timm")


@pytest.fixture
def transformers():
    library = pytest.importorskip("transformers")
    library.logging.set_verbosity_error()
    library.logging.disable_progress_bar()
    return library


def timm_folder(timm, tmp_path, name: str, safe: bool = True, **options):
    from timm.models import save_for_hf

    net = randomised(timm.create_model(name, **options))
    labels = [f"n{index}" for index in range(net.num_classes)]
    save_for_hf(net, tmp_path / name, model_config={"label_names": labels}, safe_serialization=safe)
    return net, tmp_path / name


@pytest.mark.parametrize("safe", [True, False], ids=["safetensors", "bin"])
@pytest.mark.parametrize(
    ("name", "options", "shape"),
    [
        ("test_resnet", {}, (3, 160, 160)),
        ("test_resnet", {"in_chans": 1}, (1, 160, 160)),
        ("test_vit", {"img_size": 64, "class_token": False, "global_pool": "avg"}, (3, 64, 64)),
        ("test_efficientnet", {}, (3, 160, 160)),
    ],
    ids=["resnet", "grey", "vit", "efficientnet"],
)
def test_folders_of_timm(timm, tmp_path, name, options, shape, safe):
    theirs, folder = timm_folder(timm, tmp_path, name, safe, num_classes=4, **options)
    mine = advtool.load(folder)
    assert (mine.spec.arch, mine.spec.shape) == (f"timm:{name}", shape)
    assert mine.spec.classes == ("n0", "n1", "n2", "n3")
    assert mine.spec.std == ((0.229, 0.224, 0.225) if name == "test_efficientnet" else (0.5,) * shape[0])
    assert_same_logits(mine, theirs)
    (file,) = (each for each in folder.iterdir() if each.suffix != ".json")
    assert advtool.load(file).spec == mine.spec
    again, meta = through_a_checkpoint(folder, tmp_path)
    assert_same_logits(again, theirs)
    assert again.spec.classes == mine.spec.classes and meta["imported"]["config"] == "timm"
    published = theirs.pretrained_cfg
    assert meta["preprocessing"] == {
        "size": shape[1],
        "crop_pct": published["crop_pct"],
        "interpolation": published["interpolation"],
    }


def transformers_models(library) -> dict:
    """Tiny ones of each kind, with processors and what is to be found of those."""
    t = library
    vit = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
    small, stages = {"image_size": 32, "patch_size": 8, **vit}, {"hidden_sizes": [8, 16], "depths": [1, 1]}
    convolving = t.ConvNextImageProcessor(size={"shortest_edge": 48}, image_mean=[0.4] * 3, resample=2)
    squashing = t.ViTImageProcessor(size={"height": 32, "width": 32}, resample=3)
    cropped = {"size": 48, "crop_pct": 0.875, "interpolation": "bilinear"}
    squashed = {"size": 32, "crop_pct": 1.0, "interpolation": "bicubic", "crop_mode": "squash"}
    swin = {"image_size": 32, "patch_size": 2, "embed_dim": 8, "depths": [1, 1], "num_heads": [2, 2], "window_size": 4}
    return {
        "resnet": (
            t.ResNetForImageClassification(t.ResNetConfig(embedding_size=8, **stages, layer_type="basic", **LABELS)),
            *(convolving, cropped),
        ),
        "convnext": (
            t.ConvNextForImageClassification(t.ConvNextConfig(num_stages=2, **stages, **LABELS)),
            *(convolving, cropped),
        ),
        "vit": (t.ViTForImageClassification(t.ViTConfig(**small, **LABELS)), squashing, squashed),
        "deit": (t.DeiTForImageClassification(t.DeiTConfig(**small, **LABELS)), squashing, squashed),
        "swin": (t.SwinForImageClassification(t.SwinConfig(**swin, **LABELS)), squashing, squashed),
    }


@pytest.mark.parametrize("kind", ["resnet", "convnext", "vit", "deit", "swin"])
def test_folders_of_transformers(transformers, tmp_path, kind):
    theirs, processor, preprocessing = transformers_models(transformers)[kind]
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    randomised(theirs).save_pretrained(tmp_path / kind)
    processor.save_pretrained(tmp_path / kind)
    mine = advtool.load(tmp_path / kind)
    assert mine.spec.arch == f"transformers:{type(theirs).__name__}" and mine.spec.classes == ("cat", "dog", "fox")
    assert mine.spec.mean == (0.4 if kind in ("resnet", "convnext") else 0.5,) * 3
    assert mine.spec.shape == (3, preprocessing["size"], preprocessing["size"])
    assert_same_logits(mine, theirs)
    again, meta = through_a_checkpoint(tmp_path / kind, tmp_path)
    assert_same_logits(again, theirs)
    assert meta["preprocessing"] == preprocessing and again.spec == mine.spec


def resnet(transformers):
    config = transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8], depths=[1], layer_type="basic", **LABELS)
    return randomised(transformers.ResNetForImageClassification(config))


def test_transformers_in_several_files_and_in_pickles(transformers, tmp_path):
    theirs = resnet(transformers)
    theirs.save_pretrained(tmp_path / "parts", max_shard_size="2KB")
    assert len(list((tmp_path / "parts").glob("*.safetensors"))) > 1
    with pytest.warns(CheckpointWarning, match="no normaliser"):
        assert_same_logits(advtool.load(tmp_path / "parts"), theirs)
    theirs.save_pretrained(tmp_path / "old")
    whole = tmp_path / "old" / "model.safetensors"
    torch.save(safetensors.torch.load_file(whole), tmp_path / "old" / "pytorch_model.bin")
    whole.unlink()
    assert_same_logits(advtool.load(tmp_path / "old", normalize="imagenet"), theirs)
    index = tmp_path / "parts" / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "../../etc/passwd"}}))
    with pytest.raises(AdvtoolError, match="outside its folder"):
        advtool.load(tmp_path / "parts")


def change(folder: Path, name: str = "config.json", **changes) -> None:
    path = folder / name
    content = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({name: value for name, value in content.items() if value is not None}))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"architectures": ["BertForMaskedLM"]}, "no such image classifier"),
        ({"architectures": ["ViTForImageClassification"]}, "is of model type vit"),
        ({"hidden_sizes": "many"}, "cannot be built"),
        ({"depths": [2]}, "lacks"),
        ({"id2label": {"first": "cat"}}, "cannot make sense of the config.json"),
    ],
)
def test_configurations_that_are_not_those_of_the_weights(transformers, tmp_path, changes, words):
    resnet(transformers).save_pretrained(tmp_path / "x")
    change(tmp_path / "x", **changes)
    with pytest.raises(AdvtoolError, match=words) as caught:
        advtool.load(tmp_path / "x", normalize="none")
    assert "\n" not in str(caught.value)


def test_nothing_that_a_configuration_names_is_run_or_fetched(transformers, tmp_path):
    theirs = resnet(transformers)
    theirs.save_pretrained(tmp_path / "x")
    (tmp_path / "x" / "evil.py").write_text("raise SystemExit")
    code = {"AutoModelForImageClassification": "evil.Net", "AutoConfig": "evil.Config"}
    change(tmp_path / "x", auto_map=code, _attn_implementation="someone/kernel", attn_implementation="someone/kernel")
    assert_same_logits(advtool.load(tmp_path / "x", normalize="none"), theirs)


def test_what_a_configuration_says_of_timm_loads_no_other_weights(timm, tmp_path):
    theirs, folder = timm_folder(timm, tmp_path, "test_resnet", num_classes=4)
    change(folder, model_args={"pretrained": True, "checkpoint_path": "elsewhere.pt", "num_classes": 9})
    assert_same_logits(advtool.load(folder), theirs)
    change(folder, architecture="hf-hub:someone/net")
    with pytest.raises(AdvtoolError, match="model.safetensors: .*timm has no such network"):
        advtool.load(folder)


def test_names_that_are_no_names_are_left_out(transformers, tmp_path):
    config = transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8], depths=[1], num_labels=5)
    transformers.ResNetForImageClassification(config).save_pretrained(tmp_path / "x")
    assert advtool.load(tmp_path / "x", normalize="none").spec.classes == tuple("01234")


def test_a_configuration_that_lies_beside_a_file_by_chance_is_not_believed(timm, tmp_path):
    theirs, folder = timm_folder(timm, tmp_path, "test_resnet", num_classes=4)
    other = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 3))
    torch.save(other.state_dict(), folder / "mine.pt")
    assert len(advtool.load(folder / "mine.pt", arch="linear", normalize="none").spec.classes) == 3
    with pytest.raises(UsageError, match="normaliser of its own"):
        advtool.load(folder / "model.safetensors", normalize="imagenet")
    assert_same_logits(advtool.load(folder / "model.safetensors", arch="timm:test_resnet"), theirs)


def test_folders_without_weights(tmp_path):
    with pytest.raises(AdvtoolError, match=r"no weights; expected model.safetensors or pytorch_model.bin"):
        advtool.load(tmp_path)
    for name in ("a.pt", "b.pt"):
        torch.save({"x": torch.ones(1)}, tmp_path / name)
    with pytest.raises(AdvtoolError, match=r"several weights \(a.pt, b.pt\): name one"):
        advtool.load(tmp_path)
