"""Weights of other libraries: what is in the file is what is measured, or one line says what is wrong with it."""

from pathlib import Path

import torch
from foreign_weights import (
    answering,
    cast,
    changed,
    converted,
    evaluated,
    headless,
    lightning,
    nan,
    nowhere,
    picture_of,
    put,
    timm_folder,
    trained,
    transformers_folder,
    typed,
    wide,
    wide_file,
    wide_safetensors,
)
from published_networks import DMWideResNet, PreActResNet
from situations import Situation, table

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 1234\n"
ANSWERS_1, ANSWERS_0 = {"clean.accuracy": 0.75, "data.n": 4}, {"clean.accuracy": 0.25, "data.n": 4}

ROWS = [
    Situation(
        "safetensors without our metadata", lambda: wide_safetensors(wide(), "--arch", "wrn-10-1"), report=ANSWERS_1
    ),
    Situation(
        "safetensors whose architecture nobody says",
        lambda: wide_safetensors(wide(0)),
        report=ANSWERS_0 | {"checkpoint.arch": "wrn-10-1"},
        says="taken for a wrn-10-1, by its names and shapes",
    ),
    Situation("bfloat16", lambda: wide_safetensors(cast(torch.bfloat16), "--arch", "wrn-10-1"), report=ANSWERS_1),
    Situation("float16", lambda: wide_file({"state_dict": cast(torch.float16)}), report=ANSWERS_1),
    Situation("float64", lambda: wide_file(cast(torch.float64)), report=ANSWERS_1),
    Situation(
        "only a moving average",
        lambda: wide_file({"epoch": 1, "state_dict_ema": wide()}),
        report=ANSWERS_1,
        says="took the weights 'state_dict_ema', a moving average$",
    ),
    Situation(
        "weights and their moving average",
        lambda: wide_file({"state_dict": wide(0), "state_dict_ema": wide(1)}),
        report=ANSWERS_1,
        says="took the weights 'state_dict_ema', a moving average, not those of state_dict",
    ),
    Situation(
        "the plain weights beside a moving average",
        lambda: wide_file({"state_dict": wide(0), "state_dict_ema": wide(1)}, "--weights", "plain"),
        report=ANSWERS_0,
    ),
    Situation(
        "weights by their name in the file",
        lambda: wide_file({"last": wide(1), "best": wide(0)}, "--weights", "best"),
        report=ANSWERS_0,
    ),
    Situation(
        "last and best",
        lambda: wide_file({"last": wide(1), "best": wide(0)}),
        report=ANSWERS_1,
        says="took the weights 'last', not those of best",
    ),
    Situation(
        "weights that are not in the file",
        lambda: wide_file({"state_dict": wide(), "ema": wide()}, "--weights", "swa"),
        refused="--weights swa: x.pt holds ema, state_dict",
    ),
    Situation(
        "a moving average inside its wrapper",
        lambda: wide_file({"model": wide(0), "model_ema": {"module": wide(1), "decay": 0.999}}),
        report=ANSWERS_1,
        says="'model_ema.module', a moving average, not those of model ",
    ),
    Situation(
        "a moving average under names of its own",
        lambda: wide_file({"state_dict": lightning()}),
        report=ANSWERS_1,
        says="'state_dict.model_ema', a moving average",
    ),
    Situation("NaN in a PyTorch file", lambda: wide_file(changed(nan)), refused="x.pt: 'fc.weight' is not finite"),
    Situation(
        "NaN in safetensors",
        lambda: wide_safetensors(changed(nan), "--arch", "wrn-10-1"),
        refused="'fc.weight' is not finite",
    ),
    Situation(
        "NaN in a network that is wrapped",
        lambda: wide_file({f"module.{name}": tensor for name, tensor in changed(nan).items()}),
        refused="'module.fc.weight' is not finite",
    ),
    Situation("no last layer", lambda: wide_file(changed(headless)), refused="has no last layer 'fc': features only"),
    Situation(
        "integer weights",
        lambda: wide_file(changed(typed(torch.int8))),
        refused="'block1.layer.0.conv1.weight' is of type int8: weights have to be float",
    ),
    Situation(
        "complex weights",
        lambda: wide_file(changed(typed(torch.complex64))),
        refused="'block1.layer.0.conv1.weight' is of type complex64",
    ),
    Situation(
        "a pointer of Git LFS for a checkpoint",
        lambda: evaluated(put("x.pt", LFS), "--arch", "resnet18"),
        refused="x.pt: looks like a Git LFS pointer",
    ),
    Situation(
        "a pointer of Git LFS in a folder of weights",
        lambda: evaluated(str(Path(put("theirs/model.safetensors", LFS)).parent)),
        refused="theirs/model.safetensors: looks like a Git LFS pointer",
    ),
    Situation(
        "a pointer of Git LFS for a shard",
        lambda: ["data", put("x.tar", LFS), "--info"],
        refused="x.tar.* Git LFS pointer",
    ),
    Situation("a pointer of Git LFS for an image", lambda: picture_of(LFS), refused="Git LFS pointer"),
    Situation(
        "a page of HTML for a checkpoint",
        lambda: evaluated(put("x.pt", "<!DOCTYPE html><title>Quota exceeded</title>"), "--arch", "resnet18"),
        refused="x.pt: looks like an HTML",
    ),
    Situation(
        "RobustBench's network of DeepMind",
        lambda: (
            torch.save(answering(DMWideResNet(10, 1, 2), 1, "logits"), "dm.pt"),
            evaluated("dm.pt", "--arch", "dm-wrn-10-1"),
        )[1],
        report=ANSWERS_1,
    ),
    Situation(
        "two architectures of the same names",
        lambda: (torch.save(PreActResNet().state_dict(), "x.pt"), evaluated("x.pt"))[1],
        refused="--arch: needed, .* fit preactresnet18 and preactresnet18-v2",
    ),
    Situation(
        "a folder of timm",
        lambda: evaluated(timm_folder()),
        report=ANSWERS_1 | {"checkpoint.arch": "timm:test_resnet"},
        says="labels go by position",
    ),
    Situation(
        "the file in a folder of timm",
        lambda: evaluated(f"{timm_folder()}/model.safetensors"),
        report=ANSWERS_1,
        says="labels go by position",
    ),
    Situation(
        "a converted folder of timm", lambda: converted(timm_folder()), report=ANSWERS_1, says="labels go by position"
    ),
    Situation(
        "a folder of timm that names too many classes",
        lambda: evaluated(timm_folder(label_names=["cat", "dog", "fox"])),
        report=ANSWERS_1,
        says="its configuration names 3 classes, it has 2: they go without names",
    ),
    Situation(
        "a network that timm does not have",
        lambda: evaluated(timm_folder(architecture="test_resnett")),
        refused="timm has no such network; did you mean test_resnet",
    ),
    Situation(
        "a config.json that is none",
        lambda: (timm_folder(), put("theirs/config.json", "{"), evaluated("theirs"))[2],
        refused="theirs/config.json: not JSON",
    ),
    Situation(
        "a folder of transformers",
        lambda: evaluated(transformers_folder()),
        report=ANSWERS_1 | {"checkpoint.arch": "transformers:ViTForImageClassification"},
        says="labels go by position",
    ),
    Situation(
        "a converted folder of transformers",
        lambda: converted(transformers_folder()),
        report=ANSWERS_1,
        says="labels go by position",
    ),
    Situation(
        "a base classifier of another library",
        lambda: [
            *evaluated(timm_folder(), "--base", "theirs", "--adv", "l2", "--eps", "0.1", "--steps", "1"),
        ],
        report=ANSWERS_1,
        says="labels go by position",
    ),
    Situation(
        "a folder without weights",
        lambda: evaluated(str(Path(put("theirs/README.md", "hello")).parent)),
        refused="theirs: a folder with no weights; expected model.safetensors or pytorch_model.bin",
    ),
    Situation(
        "a part that is missing",
        lambda: evaluated(
            put("theirs/model.safetensors.index.json", '{"weight_map": {"a": "model-00001-of-00002.safetensors"}}')
        ),
        refused="model-00001-of-00002.safetensors: no such file",
    ),
    Situation(
        "which weights, of a checkpoint of ours",
        lambda: (trained("linear", 32), evaluated("ours.safetensors", "--weights", "ema"))[1],
        refused="--weights: is for files of other libraries; ours.safetensors holds one network",
    ),
    Situation(
        "larger images for a convolutional network of ours",
        lambda: trained("wrn-10-1", 40),
        refused="the model takes 3×32×32 .*; --size 32 makes them fit",
    ),
    Situation(
        "larger images for an affine network of ours",
        lambda: trained("linear", 40),
        refused="images are 3×40×40, the model takes 3×32×32",
    ),
    Situation(
        "larger images where another network would begin otherwise",
        lambda: trained("resnet18", 80, "--width", "0.0625"),
        refused="images are 3×80×80, the model takes 3×32×32",
    ),
    Situation(
        "published weights that are not on disk",
        lambda: nowhere("--arch", "timm:test_resnet"),
        refused="--download: needed, .*timm:test_resnet are not on disk .looked for timm/test_resnet.r160_in1k in ",
    ),
    Situation("published weights of no network", lambda: nowhere(), refused="--pretrained: needs --arch"),
]


@table(ROWS)
def test_row(row, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    row.check(tmp_path)
