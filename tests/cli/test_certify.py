"""``advtool certify`` as it is typed."""

import json
import subprocess
import tarfile
from importlib.resources import files

import pytest
from in_process import refusal, run
from tests_support import COMMAND, environment

from advtool.errors import Note


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Folder with a model that was trained with noise and one that was not."""
    folder = tmp_path_factory.mktemp("certify")
    for name, noise in (("noisy", "0.25"), ("plain", "0")):
        status, _, err = run("train", "--arch", "mlp", "--hidden", 32, "--epochs", 8, "--noise", noise, "-q",
                             "-o", folder / f"{name}.safetensors")  # fmt: skip
        assert status == 0, err
    return folder


def report(*words) -> dict:
    status, out, err = run("certify", *words)
    assert status == 0, err
    return json.loads(out)


def test_the_noise_is_that_of_training_unless_another_is_asked_for(models):
    noisy, plain = models / "noisy.safetensors", models / "plain.safetensors"
    found = report("--ckpt", noisy, "-n", 20, "--samples", 1000)
    assert found["sigma"] == 0.25 and found["data"]["split"] == "test" and found["data"]["n"] == 20
    assert [entry["radius"] for entry in found["certified"]] == [0, 0.25, 0.5]
    assert found["certified"][1]["correct"] >= 12
    assert "was not trained with noise" in refusal("certify", "--ckpt", plain)
    several = report("--ckpt", noisy, "--ckpt", plain, "--sigma", "0.25,0.12", "-n", 5, "--samples", 200)
    assert [each["sigma"] for each in several["models"]] == [0.25, 0.12, 0.25, 0.12]


def test_files_figures_and_pipes(models, tmp_path):
    noisy = models / "noisy.safetensors"
    samples, plot = tmp_path / "samples.jsonl", tmp_path / "radii.png"
    arguments = ["--ckpt", noisy, "-n", 12, "--samples", 500, "--per-sample", samples]
    first = report(*arguments, "--plot", plot)
    assert plot.read_bytes().startswith(b"\x89PNG") and len(samples.read_text().splitlines()) == 13
    again = report(*arguments)
    assert first["certified"] == again["certified"] and len(samples.read_text().splitlines()) == 13
    piped = subprocess.run(
        [*COMMAND, "certify", "-n", "12", "--samples", "500"],
        input=noisy.read_bytes(), capture_output=True, env=environment(), check=True,
    )  # fmt: skip
    assert json.loads(piped.stdout)["certified"] == first["certified"]
    assert json.loads(piped.stdout)["checkpoint"]["sha256"] == first["checkpoint"]["sha256"]
    both = ["--ckpt", noisy, "--sigma", "0.25,0.5"]
    assert "one model" in refusal("certify", *both, "--per-sample", samples)
    assert plot.stat().st_size > 10_000
    assert "another run" in run("certify", *arguments, "--seed", 1)[2]


def test_the_smoothed_model_is_evaluated_attacked_and_explained(models, tmp_path):
    noisy, images = models / "noisy.safetensors", tmp_path / "adversarial.tar"
    threat = ["--smooth", 0.25, "--adv", "l2", "--eps", 0.5, "--steps", 3, "-n", 24]
    with pytest.warns(Note, match="by the votes of 30 calls"):
        status, out, _ = run("eval", "--ckpt", noisy, *threat, "--calls", 30, "--no-checks")
    found = json.loads(out)
    (entry,) = found["adversarial"]
    assert status == 0 and found["noise"] == 0.25 and found["votes"] is True and entry["eot"] == 20
    assert entry["correct"] == int(entry["correct"]) < found["clean"]["correct"]
    lower = report("--ckpt", noisy, "-n", 24, "--radius", 0.5)["certified"][0]
    assert lower["correct"] <= entry["correct"]
    with pytest.warns(Note, match="by the votes of 100 calls"):
        assert json.loads(run("eval", "--ckpt", noisy, "--smooth", 0.25, "-n", 9)[1])["votes"] is True
    assert run("attack", "--ckpt", noisy, "--split", "test", *threat, "-o", images)[0] == 0
    with tarfile.open(images) as tar:
        head = json.loads(tar.extractfile("__advtool__/head").read())
    told = json.dumps(head)
    assert '"smooth": 0.25' in told and '"eot": 20' in told
    assert "has no use with --noise" in refusal("eval", "--ckpt", noisy, "--smooth", 0.25, "--noise", 0.1)
    shown = [run("explain", "--ckpt", noisy, "-n", 2, *more, "--json")[1] for more in ([], ["--smooth", 0.25])]
    first, second = map(json.loads, shown)
    assert first != second
    assert "--smooth" in refusal("explain", "--ckpt", noisy, "--method", "weights", "--smooth", 0.25)


def test_radii_that_no_votes_can_certify_are_refused(models):
    noisy = models / "noisy.safetensors"
    assert "100,000 samples of noise 0.25 certify 0.9529 at most" in refusal("certify", "--ckpt", noisy, "--radius", 1)
    assert refusal("certify", "--ckpt", noisy, "--sigma", 0).startswith("--sigma")
    assert "--radius" in refusal("certify", "--ckpt", noisy, "--predict", "--radius", 0.1)


def test_a_table_says_what_is_guaranteed(models, monkeypatch):
    noisy = models / "noisy.safetensors"
    monkeypatch.setattr("advtool.cli.output.wants_json", lambda flag: flag)
    status, out, _ = run("certify", "--ckpt", noisy, "-n", 10, "--samples", 500)
    assert status == 0 and "under noise 0.25 on digits test, 10 images" in out
    assert "with probability 0.999 at least for each image by itself" in out and "mean radius: 0." in out
    status, out, _ = run("certify", "--ckpt", noisy, "--sigma", "0.25,0.5", "-n", 6, "--radius", "0.1,0.3", "--family")
    assert status == 0 and "noisy 0.25" in out and "noisy 0.5" in out and "for all 6 images at once" in out
    assert out.index("l2 0.1") < out.index("l2 0.3") < out.index("abstained")
    status, out, _ = run("certify", "--ckpt", noisy, "-n", 3, "--samples", 500, "--bracket")
    assert (
        status == 0 and "under attack" in out and "gap between radius and smallest perturbation found: mean 0." in out
    )
    status, out, _ = run("certify", "--ckpt", noisy, "-n", 6, "--predict")
    assert status == 0 and "smoothed" in out and "mean radius" not in out


def test_bounds_are_below_what_attacks_leave(tmp_path):
    model = tmp_path / "linf.safetensors"
    arguments = ["--arch", "mlp", "--hidden", 24, "--epochs", 8, "--adv", "linf", "--eps", 0.1, "--test-limit", 8]
    assert run("train", *arguments, "-q", "-o", model)[0] == 0
    found = report("--ckpt", model, "--adv", "linf", "--eps", "0.02,0.05", "-n", 60)
    schema = json.loads(files("advtool").joinpath("schemas/certify.json").read_text())
    pytest.importorskip("jsonschema").Draft202012Validator(schema).validate(found)
    attacked = json.loads(
        run("eval", "--ckpt", model, "--adv", "linf", "--eps", "0.02,0.05", "-n", 60, "--no-checks")[1]
    )
    assert found["clean"]["correct"] == attacked["clean"]["correct"]
    for lower, upper in zip(found["certified"], attacked["adversarial"], strict=True):
        assert 0 < lower["correct"] <= upper["correct"] and lower["radius"] == upper["eps"]
    assert found["certified"][1]["correct"] <= found["certified"][0]["correct"]
    assert "--eps" in refusal("certify", "--ckpt", model, "--adv", "linf")
    assert "--sigma" in refusal("certify", "--ckpt", model, "--adv", "linf", "--eps", 0.1, "--sigma", 0.1)
    assert "--eps" in refusal("certify", "--ckpt", model, "--eps", 0.1)
