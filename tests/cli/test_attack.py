"""``advtool attack`` and what can be done with its shards."""

import io
import json
import tarfile

import numpy as np
import pytest
import torch

import advtool as package
from advtool import registry
from advtool.data.arrays import load
from advtool.data.sources import resolve


def samples(data: bytes) -> dict[str, dict[str, bytes]]:
    found: dict[str, dict[str, bytes]] = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for member in tar:
            key, _, extension = member.name.partition(".")
            if extension:
                found.setdefault(key, {})[extension] = tar.extractfile(member).read()
    return found


def pixels(sample: dict[str, bytes]) -> np.ndarray:
    return np.load(io.BytesIO(sample["npy"]))


def clean_digits(advtool) -> dict[str, np.ndarray]:
    from PIL import Image

    raw = samples(advtool("data", "digits", "--split", "test").stdout)
    return {k: np.asarray(Image.open(io.BytesIO(s["png"])), np.float64)[None] / 255 for k, s in raw.items()}


@pytest.mark.parametrize(("norm", "eps"), [("l2", "0.5"), ("linf", "16/255")])
def test_what_is_written_keeps_label_and_budget_and_says_the_truth(advtool, checkpoint, norm, eps):
    arguments = ["--ckpt", checkpoint, "--data", "digits", "--split", "test", "--adv", norm, "--eps", eps, "-n", "60"]
    process = advtool("attack", *arguments, "--steps", "10")
    assert process.returncode == 0, process.stderr.decode()
    made, clean, model = samples(process.stdout), clean_digits(advtool), package.load(checkpoint)
    assert len(made) == 60
    radius, successes = {"0.5": 0.5, "16/255": 16 / 255}[eps], 0
    for key, sample in made.items():
        image, facts = pixels(sample), json.loads(sample["json"])
        delta = (image.astype(np.float64) - clean[key]).ravel()
        size = np.abs(delta).max() if norm == "linf" else np.linalg.norm(delta)
        assert size <= radius * (1 + 1e-6) and image.min() >= 0 and image.max() <= 1
        assert facts["distance"] == pytest.approx(size, abs=1e-6)
        prediction = int(model(torch.tensor(image)[None]).argmax())
        assert facts["prediction"] == prediction and facts["success"] == (prediction != int(sample["cls"]))
        assert facts["original_label"] == int(sample["cls"]) and facts["targeted"] is False
        successes += facts["success"]
    assert f"{successes} successes".encode() in process.stderr and 0 < successes <= 60


def test_shards_evaluate_to_what_eval_finds(shell, tmp_path, checkpoint):
    threat = "--adv linf --eps 0.1 --steps 10 --seed 3"
    process = shell(
        f"advtool attack --ckpt {checkpoint} --split test --data digits {threat} > a.tar\n"
        f"advtool eval --ckpt {checkpoint} --data a.tar > a\n"
        f"advtool eval --ckpt {checkpoint} {threat} --no-checks > b"
    )
    assert process.returncode == 0, process.stderr.decode()
    transferred, direct = (json.loads((tmp_path / name).read_text()) for name in "ab")
    assert transferred["clean"]["correct"] == direct["adversarial"][0]["correct"] < direct["clean"]["correct"]


def test_targeted_success_is_reported_and_equals_a_count_by_hand(advtool, tmp_path, checkpoint):
    relabelled = tmp_path / "relabelled.tar"
    shifted = advtool("data", "digits", "--split", "test", "-n", "80")
    with tarfile.open(fileobj=io.BytesIO(shifted.stdout)) as old, tarfile.open(relabelled, "w") as new:
        for member in old:
            data = old.extractfile(member).read()
            extra = []
            if member.name.endswith(".cls"):
                extra = [(member.name[:-3] + "json", json.dumps({"original_label": int(data)}).encode())]
                data = str((int(data) + 1) % 10).encode()
            for name, content in [(member.name, data), *extra]:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                new.addfile(info, io.BytesIO(content))
    options = ["--targeted", "--adv", "l2", "--eps", "1", "--steps", "20"]
    made = advtool("attack", "--ckpt", checkpoint, *options, stdin=relabelled.read_bytes())
    assert made.returncode == 0, made.stderr.decode()
    model = package.load(checkpoint)
    counted = sum(
        int(model(torch.tensor(pixels(s))[None]).argmax()) == int(s["cls"]) for s in samples(made.stdout).values()
    )
    report = json.loads(advtool("eval", "--ckpt", checkpoint, stdin=made.stdout).stdout)
    assert report["targeted"]["success"]["correct"] == counted > 20
    assert report["targeted"]["success"]["n"] == 80
    assert f"{counted} successes".encode() in made.stderr


def test_eight_bit_output_stays_in_the_ball(advtool, checkpoint):
    from PIL import Image

    arguments = ["--data", "digits", "--split", "test", "-n", "60", "--adv", "l2", "--eps", "0.5", "--steps", "10"]
    process = advtool("attack", "--ckpt", checkpoint, *arguments, "--format", "png8")
    assert process.returncode == 0, process.stderr.decode()
    clean = clean_digits(advtool)
    for key, sample in samples(process.stdout).items():
        image = np.asarray(Image.open(io.BytesIO(sample["png"])), np.float64)[None] / 255
        assert np.linalg.norm(image - clean[key]) <= 0.5 * (1 + 1e-6)


def test_results_do_not_depend_on_batches_or_shards(advtool, checkpoint):
    data = advtool("data", "digits", "--split", "test", "-n", "50").stdout
    options = ["--ckpt", checkpoint, "--adv", "linf", "--eps", "0.1", "--steps", "5", "-q"]
    whole, parts = (advtool("attack", *options, "--batch-size", size, stdin=data) for size in ("50", "7"))
    first, second = samples(whole.stdout), samples(parts.stdout)
    assert first.keys() == second.keys()
    for key in first:
        np.testing.assert_allclose(pixels(first[key]), pixels(second[key]), atol=1e-5)


@pytest.mark.parametrize("name", [name for name, attack in registry.ATTACKS.items() if "steps" in attack.takes])
def test_no_step_is_no_step(advtool, checkpoint, tmp_path, name):
    options = ["attack", "--attack", name, "--ckpt", checkpoint, "--split", "test", "-n", "12"]
    norm = registry.get(name).made_for()[0]
    options += ["--adv", norm, "--eps", "1" if norm == "l0" else "0.5"]
    options += ["--no-random-start"] if "random_start" in registry.get(name).takes else []
    done = advtool(*options, "--steps", "0", "-o", "still.tar")
    assert done.returncode == 0, done.stderr.decode()
    still, clean = load(resolve(str(tmp_path / "still.tar"))), clean_digits(advtool)
    record = still.head.records[-1]
    assert (record["attack"], record["steps"]) == (name, 0)
    if not registry.get(name).function.startswith(
        ("advtool.attacks.apgd", "advtool.attacks.fast")
    ):  # look at their random start: no step
        for key, image in zip(still.keys, still.pixels, strict=True):
            np.testing.assert_allclose(image, clean[key], atol=1e-6)
    default = json.loads(advtool(*options, "--dry-run").stdout)
    assert default["steps"] == default["options"]["steps"] >= 10


def test_a_dry_run_does_nothing_and_what_exists_is_overwritten_with_f_only(advtool, tmp_path, checkpoint):
    options = ["attack", "--ckpt", checkpoint, "--data", "digits", "-n", "5", "--eps", "0.5", "--steps", "2"]
    shown = json.loads(advtool(*options, "-o", "a.tar", "--dry-run").stdout)
    assert (shown["output"], shown["adv"], shown["eps"]) == ("a.tar", "l2", 0.5) and not list(tmp_path.iterdir())
    (tmp_path / "a.tar").write_bytes(b"precious")
    assert advtool(*options, "-o", "a.tar").returncode == 2
    assert (tmp_path / "a.tar").read_bytes() == b"precious"
    assert advtool(*options, "-o", "a.tar", "-f").returncode == 0
    assert len(samples((tmp_path / "a.tar").read_bytes())) == 5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["attack", "--attack", "pdg", "--eps", "1"], "pgd"),
        (["attack"], "--eps"),
        (["attack", "--adv", "none"], "known: l2, linf"),
        (["attack", "--adv", "linf", "--eps", "8"], "8/255"),
        (["attack", "--attack", "cw", "--adv", "linf", "--eps", "0.1"], "only for l2"),
        (["attack", "--attack", "apgd-t", "--eps", "1", "--targeted"], "targeted"),
        (["attack", "--eps", "1", "--format", "jpeg"], "png8"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_usage_errors(advtool, checkpoint, arguments, words):
    process = advtool(*arguments, "--ckpt", checkpoint)
    errors = [line for line in process.stderr.decode().splitlines() if "error" in line]
    assert process.returncode == 2 and len(errors) == 1 and words in errors[0], process.stderr.decode()
    assert process.stdout == b""


def test_misclassified_images_are_left_alone_if_asked(advtool, tmp_path, checkpoint):
    line = (
        "attack",
        "--ckpt",
        checkpoint,
        "--split",
        "test",
        "--eps",
        0.5,
        "--steps",
        5,
        "--attack-correct-only",
        "-q",
    )
    done = advtool(*line, "--json", "-o", "a.tar")
    report = json.loads(done.stderr)
    wrong, model = 0, package.load(checkpoint).eval()
    clean = clean_digits(advtool)
    for key, sample in samples((tmp_path / "a.tar").read_bytes()).items():
        image, facts = pixels(sample), json.loads(sample["json"])
        if int(model(torch.tensor(clean[key]).float()[None]).argmax()) == int(sample["cls"]):
            assert facts["distance"] > 0
            continue
        wrong += 1
        assert facts["success"] and facts["distance"] == 0 and np.array_equal(image, clean[key].astype(np.float32))
    assert report["left_alone"] == wrong > 0 and report["n"] == 360
    refused = advtool(*line, "--targeted")
    assert refused.returncode == 2 and b"untargeted" in refused.stderr


def test_a_report_on_adversarial_shards_says_that_they_are(advtool, checkpoint):
    pushed = "relabel --shift 1 -n 100 -o shifted.tar", "attack --targeted --data shifted.tar --eps 2 -o pushed.tar"
    assert advtool(*pushed[0].split()).returncode == 0
    assert advtool(*pushed[1].split(), "--ckpt", checkpoint).returncode == 0
    other = ("train", "--epochs", 1, "--arch", "linear", "-q", "-o", "other.safetensors")
    assert advtool(*other).returncode == 0
    report = json.loads(advtool("eval", "--ckpt", "other.safetensors", "--data", "pushed.tar").stdout)
    assert report["data"]["adversarial"] == {"attack": "pgd", "adv": "l2", "eps": 2.0, "targeted": True}
    assert report["clean"]["accuracy"] < 0.2 and report["flags"] == []
    plain = json.loads(advtool("eval", "--ckpt", "other.safetensors", "--data", "shifted.tar").stdout)
    assert plain["data"]["adversarial"] is None and [flag["name"] for flag in plain["flags"]] == ["chance"]


def test_each_stage_of_a_pipe_can_say_what_it_did_as_json(shell, checkpoint):
    done = shell(
        f"advtool relabel --random -n 30 --json -q |"
        f" advtool attack --targeted --ckpt {checkpoint} --eps 1 --steps 5 --json -q |"
        f" advtool distill --ckpt {checkpoint} --steps 2 --json -q > d.tar"
    )
    said = {report["command"]: report for report in map(json.loads, done.stderr.splitlines())}
    assert said["relabel"]["kept"] == said["attack"]["n"] == said["distill"]["n"] == 30
    assert said["attack"]["eps"] == 1 and said["distill"]["last"] < said["distill"]["first"]


def test_several_checkpoints_are_attacked_together(advtool, checkpoint, tmp_path):
    assert advtool("train", "--arch", "mlp", "--epochs", "2", "--seed", "1", "-o", "other.safetensors").returncode == 0
    options = ["attack", "--split", "test", "-n", "60", "--adv", "linf", "--eps", "0.1", "--attack", "mi-fgsm"]
    both = [*options, "--ckpt", checkpoint, "--ckpt", "other.safetensors"]
    made = {}
    for ensemble in ("logits", "losses"):
        done = advtool(*both, "--ensemble", ensemble, "-o", f"{ensemble}.tar")
        assert done.returncode == 0, done.stderr.decode()
        images = load(resolve(str(tmp_path / f"{ensemble}.tar")))
        made[ensemble] = images.pixels
        record = images.head.records[-1]
        assert record["ensemble"] == ensemble and len({each["sha256"] for each in record["checkpoints"]}) == 2
        assert "checkpoint" not in record
    assert not np.array_equal(made["logits"], made["losses"])
    plain = advtool(*both, "-o", "plain.tar")
    assert plain.returncode == 0 and np.array_equal(load(resolve(str(tmp_path / "plain.tar"))).pixels, made["logits"])
    refused = advtool(*options, "--ckpt", checkpoint, "--ensemble", "losses", "-o", "no.tar")
    assert refused.returncode == 2 and b"--ensemble losses: is for several checkpoints" in refused.stderr
    refused = advtool(*(word if word != "mi-fgsm" else "fab" for word in both), "--ensemble", "losses", "-o", "no.tar")
    assert refused.returncode == 2 and b"--ensemble: losses is for attacks that follow one: fgsm, pgd" in refused.stderr
    assert advtool("train", "--data", "patterns", "-n", "200", "--epochs", "0", "-o", "far.safetensors").returncode == 0
    refused = advtool(*options, "--ckpt", checkpoint, "--ckpt", "far.safetensors", "-o", "no.tar")
    assert refused.returncode in (1, 2) and refused.stderr.count(b"\n") == 1 and not (tmp_path / "no.tar").exists()
