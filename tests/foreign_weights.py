"""Files and folders of weights as other libraries leave them, and command lines that evaluate them."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image
from situations import run

from advtool.models.classifier import ModelSpec
from advtool.models.registry import build

NORMALISED = ("--normalize", "none")


def shard(side: int = 32, name: str = "x.tar") -> str:
    """Four images, three of class 1 and one of class 0."""
    with tarfile.open(name, "w") as tar:
        for index, label in enumerate((1, 1, 1, 0)):
            buffer = io.BytesIO()
            Image.fromarray(np.full((side, side, 3), 60 * index, np.uint8)).save(buffer, "PNG")
            for member, data in ((f"{index}.png", buffer.getvalue()), (f"{index}.cls", b"%d" % label)):
                info = tarfile.TarInfo(member)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return name


def wide(answer: int = 1, classes: int = 2, head: str = "fc") -> dict[str, torch.Tensor]:
    """The weights of a narrow wide ResNet that answers the same to everything."""
    torch.manual_seed(0)
    spec = ModelSpec("wrn-10-1", tuple(map(str, range(classes))), (3, 32, 32), (0,) * 3, (1,) * 3)
    return answering(build(spec).net, answer, head)


def answering(net: torch.nn.Module, answer: int, head: str) -> dict[str, torch.Tensor]:
    layer = net.get_submodule(head)
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    layer.bias.data[answer] = 1
    return {name: tensor.detach().contiguous() for name, tensor in net.state_dict().items()}


def evaluated(ckpt: str, *more: str) -> list[str]:
    return ["eval", "--ckpt", ckpt, "--data", shard(), "--no-checks", "--json", *more]


def wide_file(content: object, *more: str, name: str = "x.pt") -> list[str]:
    """Evaluate what `torch.save` makes of the content, as a wide ResNet."""
    torch.save(content, name)
    return evaluated(name, "--arch", "wrn-10-1", *NORMALISED, *more)


def wide_safetensors(state: dict[str, torch.Tensor], *more: str) -> list[str]:
    safetensors.torch.save_file(state, "model.safetensors", {"format": "pt"})
    return evaluated("model.safetensors", *NORMALISED, *more)


def put(name: str, content: bytes | str) -> str:
    Path(name).parent.mkdir(exist_ok=True, parents=True)
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return name


def changed(change) -> dict[str, torch.Tensor]:
    state = wide()
    for name in list(state):
        new = change(name, state.pop(name))
        if new is not None:
            state[name] = new
    return state


def nan(name, tensor):
    return tensor * float("nan") if name == "fc.weight" else tensor


def typed(dtype):
    return lambda name, tensor: tensor.to(dtype) if name == "block1.layer.0.conv1.weight" else tensor


def headless(name, tensor):
    return None if name.startswith("fc.") else tensor


def cast(dtype):
    return changed(lambda name, tensor: tensor.to(dtype) if tensor.is_floating_point() else tensor)


def lightning() -> dict[str, torch.Tensor]:
    plain = {f"model.{name}": tensor for name, tensor in wide(0).items()}
    return plain | {f"model_ema.module.{name}": tensor for name, tensor in wide(1).items()}


def timm_folder(**changes) -> str:
    timm = pytest.importorskip("timm")
    net = timm.create_model("test_resnet", num_classes=2)
    cfg = {"mean": [0.5] * 3, "std": [0.5] * 3, "input_size": [3, 32, 32], "crop_pct": 1.0, "interpolation": "bicubic"}
    config = {"architecture": "test_resnet", "num_classes": 2, "label_names": ["cat", "dog"], "pretrained_cfg": cfg}
    put("theirs/config.json", json.dumps(config | changes))
    safetensors.torch.save_file(answering(net, 1, "fc"), "theirs/model.safetensors", {"format": "pt"})
    return "theirs"


def transformers_folder() -> str:
    library = pytest.importorskip("transformers")
    library.logging.set_verbosity_error()
    library.logging.disable_progress_bar()
    names = {"id2label": {0: "cat", 1: "dog"}, "label2id": {"cat": 0, "dog": 1}}
    config = library.ViTConfig(
        **{"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16},
        **{"image_size": 32, "patch_size": 8, **names},
    )
    net = library.ViTForImageClassification(config)
    answering(net, 1, "classifier")
    net.save_pretrained("theirs")
    library.ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained("theirs")
    return "theirs"


def converted(folder: str) -> list[str]:
    status, _, err = run("train", "--init", folder, "--epochs", "0", "-o", "ours.safetensors")
    assert status == 0, err
    return evaluated("ours.safetensors")


def trained(arch: str, side: int, *more: str) -> list[str]:
    """A checkpoint of ours for 32 pixels, on images of another side."""
    line = ["train", "--arch", arch, *more, "--data", shard(), "--epochs", "0", "-o", "ours.safetensors"]
    status, _, err = run(*line)
    assert status == 0, err
    return ["eval", "--ckpt", "ours.safetensors", "--data", shard(side, "large.tar"), "--no-checks", "--json"]


def picture_of(content: bytes) -> list[str]:
    with tarfile.open("broken.tar", "w") as tar:
        for name, data in (("0.png", content), ("0.cls", b"0")):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return ["data", "broken.tar", "--verify"]


def nowhere(*arguments: str) -> list[str]:
    """Published weights, where no cache is."""
    pytest.importorskip("timm")
    return ["train", "--pretrained", *arguments, "--epochs", "0", "-o", "ours.safetensors"]
