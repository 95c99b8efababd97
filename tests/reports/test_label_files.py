"""Images in one folder: their labels stand in a file, or nobody knows them."""

from pathlib import Path

import numpy as np
import shard_factory as make
from situations import Situation, table

INFO = ("--info", "--json")


def picture(path: str, label: int = 0) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(make.encode(make.pixels(label)[0], "JPEG"))


def text(path: str, content: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(content)


def beside(build, *made):
    """More files first."""

    def built() -> list[str]:
        for make_file in made:
            make_file()
        return build()

    return built


def tiny_imagenet(*arguments: str) -> list[str]:
    for synset in ("n03", "n01", "n02"):
        for index in range(3):
            picture(f"t/train/{synset}/images/{synset}_{index}.JPEG")
    for index in range(4):
        picture(f"t/val/images/val_{index}.JPEG")
        picture(f"t/test/images/test_{index}.JPEG")
    synsets = ("n02", "n03", "n02", "n03")
    text("t/val/val_annotations.txt", "".join(f"val_{i}.JPEG\t{s}\t0\t0\t9\t9\n" for i, s in enumerate(synsets)))
    text("t/wnids.txt", "n03\nn01\nn02\n")
    return ["data", "t", *arguments, *INFO]


def imagenet(labels: str | None, content: str, *more: tuple[str, str]):
    """Two training classes, and a flat folder of four validation images with a file of labels."""

    def build() -> list[str]:
        for synset in ("n01", "n02"):
            picture(f"i/train/{synset}/{synset}_1.JPEG")
        for number in (1, 2, 3, 4):
            picture(f"i/val/ILSVRC2012_val_{number:08d}.JPEG")
        for path, lines in ((labels, content), *more):
            if path:
                text(f"i/{path}", lines)
        return ["data", "i", "--split", "test", *INFO]

    return build


def images(numbers, label) -> str:
    return "".join(f"ILSVRC2012_val_{number:08d}{label(number)}\n" for number in numbers)


def numbered_by_the_kit() -> list[str]:
    from scipy.io import savemat

    text("i/devkit/data/ILSVRC2012_validation_ground_truth.txt", "2\n1\n2\n2\n")
    synsets = np.zeros(3, [(name, "O") for name in ("ILSVRC2012_ID", "WNID", "words", "num_children")])
    synsets[:] = [(1, "n02", "one", 0), (2, "n01", "other", 0), (3, "n09", "parent", 2)]
    savemat("i/devkit/data/meta.mat", {"synsets": synsets})
    return imagenet(None, "")()


ROWS = [
    Situation(
        "flat", lambda: picture("d/1.jpg") or ["data", "d", *INFO], refused="d/: images whose labels nobody knows"
    ),
    Situation(
        "flat in images/", lambda: picture("d/images/1.jpg") or ["data", "d", *INFO], refused="images/: images whose"
    ),
    Situation(
        "flat train and test",
        lambda: (picture("d/train/1.jpg"), picture("d/test/1.jpg")) and ["data", "d", *INFO],
        refused="labels nobody knows",
    ),
    Situation(
        "Tiny ImageNet",
        tiny_imagenet,
        report={
            "parts.0.n": 9,
            "parts.1.n": 4,
            "parts.1.class_counts": [0, 2, 2],
            "parts.1.classes": ["n01", "n02", "n03"],
        },
        says="test/images/ has no labels and is not read",
    ),
    Situation(
        "Tiny ImageNet's test", lambda: ["data", tiny_imagenet()[1] + "/test", *INFO], refused="labels nobody knows"
    ),
    Situation(
        "ImageNet by name and number",
        imagenet("val.txt", images((1, 2, 3, 4), lambda n: f".JPEG {n % 2}")),
        report={"parts.0.split": "test", "parts.0.class_counts": [2, 2]},
    ),
    Situation(
        "ImageNet of Kaggle",
        imagenet(
            "LOC_val_solution.csv",
            "ImageId,PredictionString\n" + images((4, 2, 3, 1), lambda n: f",n0{n % 2 + 1} 1 2 3 4 n02 1 2 3 4"),
        ),
        report={"parts.0.split": "test", "parts.0.class_counts": [2, 2]},
    ),
    Situation(
        "ImageNet by synsets in order",
        imagenet("val/synsets.txt", "n02\nn02\nn01\nn02\n"),
        report={"parts.0.class_counts": [1, 3]},
    ),
    Situation(
        "ImageNet's own numbers",
        numbered_by_the_kit,
        report={"parts.0.class_counts": [3, 1], "parts.0.classes": ["n01", "n02"]},
    ),
    Situation(
        "the same without the key to them",
        imagenet("val/ILSVRC2012_validation_ground_truth.txt", "2\n1\n2\n2\n"),
        refused="no labels without meta.mat",
    ),
    Situation(
        "labels from 1",
        imagenet("val.txt", images((1, 2, 3, 4), lambda n: f".JPEG {n % 2 + 1}")),
        refused="label 2 is none of the 2 classes",
    ),
    Situation(
        "an image without a label",
        imagenet("val.txt", images((1, 2, 4), lambda n: f".JPEG {n % 2}")),
        refused="00000003.JPEG: has no label in",
    ),
    Situation(
        "two files that disagree",
        imagenet(
            "val.txt",
            images((1, 2, 3, 4), lambda n: f".JPEG {n % 2}"),
            ("val.csv", images((1, 2, 3, 4), lambda n: ".JPEG,n01")),
        ),
        refused="say different labels",
    ),
    Situation(
        "a sample submission says nothing",
        lambda: picture("d/7.jpg") or text("d/sampleSubmission.csv", "id,label\n7,cat\n") or ["data", "d", *INFO],
        refused="labels nobody knows",
    ),
    Situation(
        "Kaggle's CIFAR-10",
        beside(
            lambda: ["data", "d", *INFO],
            lambda: [picture(f"d/train/{number}.png") for number in (1, 2)],
            lambda: text("d/trainLabels.csv", "id,label\n1,frog\n2,cat\n3,cat\n"),
        ),
        report={"parts.0.classes": ["cat", "frog"], "parts.0.class_counts": [1, 1]},
    ),
]


@table(ROWS)
def test_row(row, tmp_path):
    row.check(tmp_path)
