"""Claims: ten that are honest hold, and what is forged is refused by name."""

import copy
import io
import json
import tarfile

import numpy as np
import pytest
import torch
from evaluation_problems import SETTINGS, digits, linear

from advtool.errors import AdvtoolError, UsageError
from advtool.evaluation import evaluate
from advtool.evaluation.claims import Claim, Refuted, verify
from advtool.evaluation.saving import Digest
from advtool.io import images as encoding
from advtool.io.samples import Sample

HONEST = [
    {"adv": "l2", "eps": 0.4, "attack": "pgd", "steps": 10},
    {"adv": "linf", "eps": 0.05, "attack": "pgd", "steps": 10},
    {"adv": "l1", "eps": 1.5, "attack": "pgd", "steps": 10},
    {"adv": "l2", "eps": 0.4, "attack": "autoattack", "steps": 5},
    {"adv": "linf", "eps": 8 / 255, "attack": "fgsm"},
    {"adv": "l2", "eps": 0.4, "attack": "ddn", "steps": 20},
    {"adv": "l0", "eps": 3, "attack": "fmn", "steps": 20},
    {"adv": "l2", "eps": [0.1, 0.4, 0.8], "attack": "sdf", "curve": True},
    {"adv": "l0", "eps": [1, 4], "attack": "sigma-zero", "steps": 20, "curve": True},
    {"adv": "linf", "eps": 0.0, "attack": "pgd", "steps": 5},
]
SHA = "ab" * 32


@pytest.fixture(scope="module")
def model():
    return linear()


@pytest.fixture(scope="module")
def claims(model, tmp_path_factory):
    """(report, samples) of each honest claim."""
    folder = tmp_path_factory.mktemp("claims")
    return [made(model, folder / f"{number}.tar", options) for number, options in enumerate(HONEST)]


def made(model, path, options):
    report = evaluate(model, digits(60), **options, checks=False, save_adversarial=path)
    report["checkpoint"]["sha256"] = SHA
    return json.loads(json.dumps(report)), samples(path)


def samples(path) -> list[Sample]:
    found: dict[str, dict[str, bytes]] = {}
    with open(path, "rb") as file:
        data = io.BytesIO(file.read())
    with tarfile.open(fileobj=data) as tar:
        for member in tar.getmembers():
            if not member.name.startswith("__"):
                key, _, extension = member.name.partition(".")
                found.setdefault(key, {})[extension] = tar.extractfile(member).read()
    return [Sample(key, members, str(path)) for key, members in found.items()]


def originals():
    images = digits(60)
    pixels = images.pixels.astype(np.float32) / np.float32(255)
    return {key: (pixels[place], int(images.labels[place])) for place, key in enumerate(images.keys)}


@pytest.mark.parametrize("number", range(len(HONEST)))
def test_honest_claims_hold(number, claims, model):
    report, found = claims[number]
    for compared in (None, originals()):
        verdict = verify(Claim.of(report), model, SHA, found, SETTINGS, compared)
        assert verdict.n == 60 and verdict.standing == [entry["correct"] for entry in report["adversarial"]]


def image(sample: Sample, name: str = "npy") -> np.ndarray:
    return encoding.decode(sample.members[name], "npy").copy()


def put(sample: Sample, pixels: np.ndarray, name: str = "npy") -> None:
    sample.members[name] = encoding.encode_npy(pixels)


def anew(report: dict, found: list[Sample]) -> None:
    """The digest of what was forged."""
    digest = Digest()
    for sample in found:
        digest.add(sample.key, sample.label, image(sample, "original.npy"), image(sample))
    report["saved"]["digest"] = digest.hex()


def farther(report, found):
    put(found[3], np.clip(image(found[3]) + 0.5, 0, 1))


def a_little_farther(report, found):
    original = image(found[3], "original.npy")
    delta = np.zeros_like(original)
    delta.flat[27] = 0.41 if original.flat[27] < 0.5 else -0.41
    put(found[3], original + delta)


def brighter_than_white(report, found):
    pixels = image(found[5])
    pixels.flat[0] = 1.5
    found[5].members["npy"] = npy(pixels)


def not_a_number(report, found):
    pixels = image(found[5])
    pixels.flat[0] = np.nan
    found[5].members["npy"] = npy(pixels)


def original_out_of_range(report, found):
    found[5].members["original.npy"] = npy(image(found[5], "original.npy") - 1)


def npy(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, pixels)
    return file.getvalue()


def another_label(report, found):
    found[0].members["cls"] = str((found[0].label + 1) % 10).encode()


def another_label_everywhere(report, found):
    label = (found[0].label + 1) % 10
    found[0].members["cls"] = str(label).encode()
    found[0].members["json"] = json.dumps({"original_label": label}).encode()
    anew(report, found)


def no_label(report, found):
    found[0].members["cls"] = b"seven"


def fewer_stand(report, found):
    entry = report["adversarial"][0]
    entry["correct"] -= 3
    entry["accuracy"] = entry["correct"] / 60


def more_stand(report, found):
    entry = report["adversarial"][0]
    entry["correct"] += 1
    entry["accuracy"] = entry["correct"] / 60


def another_accuracy(report, found):
    report["adversarial"][0]["accuracy"] -= 0.01


def more_are_right(report, found):
    report["clean"]["correct"] += 1
    report["clean"]["accuracy"] = report["clean"]["correct"] / 60


def more_images(report, found):
    report["clean"]["n"] = 61


def one_left_out(report, found):
    del found[10]


def one_left_out_with_its_digest(report, found):
    del found[10]
    anew(report, found)


def one_twice(report, found):
    found.append(found[0])


def swapped(report, found):
    found[1].members, found[2].members = found[2].members, found[1].members


def swapped_images(report, found):
    for name in ("npy", "original.npy"):
        found[1].members[name], found[2].members[name] = found[2].members[name], found[1].members[name]


def broken_image_replaced(report, found):
    put(found[4], image(found[4], "original.npy"))


def other_checkpoint(report, found):
    report["checkpoint"]["sha256"] = "cd" * 32


def smaller_radius(report, found):
    report["adversarial"][0]["eps"] = 0.3


def another_norm(report, found):
    report["adversarial"][0]["adv"] = "linf"
    report["adversarial"][0]["eps"] = 0.01


def no_original(report, found):
    del found[7].members["original.npy"]


def another_shape(report, found):
    put(found[7], np.zeros((1, 4, 4), np.float32))


FORGED = {
    farther: "norm",
    a_little_farther: "norm",
    smaller_radius: "norm",
    another_norm: "norm",
    brighter_than_white: "range",
    not_a_number: "range",
    original_out_of_range: "range",
    another_label: "label",
    another_label_everywhere: "count",
    no_label: "label",
    fewer_stand: "count",
    more_stand: "count",
    another_accuracy: "count",
    more_are_right: "count",
    more_images: "count",
    one_left_out: "count",
    one_left_out_with_its_digest: "count",
    one_twice: "count",
    swapped: "images",
    swapped_images: "images",
    broken_image_replaced: "images",
    other_checkpoint: "checkpoint",
    no_original: "images",
    another_shape: "images",
}


@pytest.mark.parametrize("forge", FORGED, ids=lambda forge: forge.__name__)
def test_forged_claims_are_refused_by_name(forge, claims, model):
    report, found = copy.deepcopy(claims[0])
    forge(report, found)
    with pytest.raises(Refuted) as caught:
        verify(Claim.of(report), model, SHA, found, SETTINGS)
    assert caught.value.name == FORGED[forge], str(caught.value)


def test_images_that_are_not_those_of_the_data_are_refused(claims, model):
    report, found = copy.deepcopy(claims[0])
    for name in ("npy", "original.npy"):
        put(found[2], np.zeros_like(image(found[2])), name)
    anew(report, found)
    with pytest.raises(Refuted, match="images: sample .* is not the image of the data"):
        verify(Claim.of(report), model, SHA, found, SETTINGS, originals())
    report, found = copy.deepcopy(claims[0])
    another_label_everywhere(report, found)
    with pytest.raises(Refuted, match="label: sample .* in the data"):
        verify(Claim.of(report), model, SHA, found, SETTINGS, originals())


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 1}', "nonsense", '{"adversarial": [], "clean": {}}'])
def test_what_is_no_claim_is_said_to_be_none(text, tmp_path):
    (tmp_path / "claim.json").write_text(text)
    with pytest.raises(Refuted, match="claim"):
        Claim.read(tmp_path / "claim.json")


@pytest.mark.parametrize(
    "options",
    [
        {"adv": "l2", "eps": [0.2, 0.4]},
        {"adv": "l2", "eps": 0.2, "steps": [1, 2]},
        {"adv": "l2,linf", "eps": [0.2, 0.1]},
        {"adv": "l2", "eps": 0.2, "per_sample": "samples.jsonl"},
        {},
    ],
)
def test_what_has_no_one_worst_image_is_refused(options, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="save_adversarial"):
        evaluate(model, digits(20), **options, save_adversarial=tmp_path / "adv.tar")
    assert not (tmp_path / "adv.tar").exists()


def test_the_shard_is_one_like_others(claims, model, tmp_path):
    path = tmp_path / "adv.tar"
    report = evaluate(model, digits(60), **HONEST[0], checks=False, save_adversarial=path)
    with open(path, "rb") as file:
        names = [member.name for member in read_members_of(file)]
    assert names[0] == "__advtool__/head" and len(names) == 1 + 4 * 60
    from advtool.data.arrays import load
    from advtool.data.sources import resolve

    again = evaluate(model, load(resolve(str(path))), checks=False)
    assert again["clean"]["correct"] == report["adversarial"][0]["correct"]
    assert again["data"]["adversarial"] == {"attack": "pgd", "adv": "l2", "eps": 0.4, "targeted": False}


def read_members_of(file):
    with tarfile.open(fileobj=io.BytesIO(file.read())) as tar:
        return tar.getmembers()


def test_a_run_that_fails_leaves_no_shard(model, tmp_path):
    broken = linear()
    broken[1].bias.data[0] = torch.nan
    with pytest.raises(AdvtoolError, match="not finite"):
        evaluate(broken, digits(20), adv="l2", eps=0.2, save_adversarial=tmp_path / "adv.tar")
    assert list(tmp_path.iterdir()) == []
