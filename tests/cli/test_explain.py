"""``advtool explain``: pictures and numbers by the real command."""

import io
import json
import tarfile

import numpy as np
import pytest
import torch
from PIL import Image
from shard_factory import sample, shard

import advtool as package
import advtool.explain as package_explain
from advtool.cli.main import app
from advtool.data.arrays import load
from advtool.data.sources import resolve
from advtool.errors import AdvtoolError, UsageError
from advtool.io.head import Head
from advtool.models.checkpoint import to_bytes
from advtool.models.classifier import ModelSpec
from advtool.models.registry import build


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.fixture
def explain(tmp_path, monkeypatch, capsys):
    """Run the command in this process, in a fresh directory; returns its report."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments) -> dict:
        app(["explain", *map(str, arguments), "--json"], standalone_mode=False)
        return json.loads(capsys.readouterr().out)

    return run


@pytest.fixture(scope="module")
def linear(tmp_path_factory):
    """Checkpoints of two untrained linear models of the digits."""
    folder, head = tmp_path_factory.mktemp("linear"), load(resolve("digits")).head
    paths = []
    for seed in range(2):
        torch.manual_seed(seed)
        model = build(ModelSpec("linear", head.classes, head.shape, (0.3,), (0.4,)))
        paths.append(folder / f"linear{seed}.safetensors")
        paths[-1].write_bytes(to_bytes(model, data={"source": "digits"}))
    return paths


def test_a_picture_to_a_pipe_from_a_checkpoint_on_stdin(advtool, checkpoint):
    process = advtool("explain", "-n", "3", stdin=checkpoint.read_bytes())
    assert process.returncode == 0, process.stderr.decode()
    assert opened(process.stdout).size[0] > 3 * 84


def test_gradients_as_picture_numbers_and_shards(explain, advtool, tmp_path, checkpoint, linear):
    options = ["--ckpt", checkpoint, "--ckpt", linear[0], "--data", "digits", "-n", "360"]
    report = explain(*options, "-o", "g.svg", "--shards", "g.tar")
    assert (tmp_path / "g.svg").read_bytes().startswith(b"<?xml")
    assert report["schema"] == 1 and report["data"]["n"] == 360 and report["picture"] == "g.svg"
    first, second = report["models"]
    assert first["checkpoint"]["path"] == str(checkpoint) and len(first["images"]) == 360
    for name in ("hoyer", "gini", "total_variation", "edge_alignment", "class_mean_alignment"):
        values = [np.array([image[name] for image in model["images"]], np.float64) for model in (first, second)]
        assert second["measures"][name]["mean"] == pytest.approx(values[1].mean())
        assert second["measures"][name]["se"] == pytest.approx(values[1].std(ddof=1) / 360**0.5)
        difference = values[1] - values[0]
        assert second["versus_first"][name]["mean"] == pytest.approx(difference.mean())
        assert second["versus_first"][name]["se"] == pytest.approx(difference.std(ddof=1) / 360**0.5)
    assert "versus_first" not in first

    model = package.load(checkpoint)
    with tarfile.open(tmp_path / "g.tar") as tar:
        members = {member.name: tar.extractfile(member).read() for member in tar}
    key = first["images"][7]["key"]
    x = torch.tensor(np.asarray(opened(members[f"{key}.png"]), np.float32) / 255)[None, None].requires_grad_(True)
    y = torch.tensor([int(members[f"{key}.cls"])])
    (expected,) = torch.autograd.grad(torch.nn.functional.cross_entropy(model(x), y), x)
    found = np.load(io.BytesIO(members[f"{key}.attribution0.npy"]))
    np.testing.assert_allclose(found, expected[0], rtol=1e-4, atol=1e-7)
    facts = json.loads(members[f"{key}.json"])["attributions"]
    assert [entry["member"] for entry in facts] == ["attribution0.npy", "attribution1.npy"]
    assert facts[1]["checkpoint"]["path"] == str(linear[0]) and facts[1]["of"] == "loss"

    read = advtool("eval", "--ckpt", checkpoint, "--data", "g.tar")
    assert json.loads(read.stdout)["clean"]["n"] == 360 and b"attribution0.npy are passed over" in read.stderr


def test_attributions_are_read_by_webdataset(advtool, checkpoint):
    import webdataset
    from webdataset.tariterators import group_by_keys, tar_file_expander

    process = advtool("explain", "--ckpt", checkpoint, "-n", "3", "--shards", "-")
    assert process.returncode == 0, process.stderr.decode()
    files = tar_file_expander([{"stream": io.BytesIO(process.stdout), "url": "made"}])
    decoded = list(map(webdataset.autodecode.Decoder([webdataset.autodecode.basichandlers]), group_by_keys(files)))
    assert [sample["attribution.npy"].shape for sample in decoded] == [(1, 8, 8)] * 3
    assert all(sample["attribution.npy"].min() < 0 for sample in decoded)


def test_methods_side_by_side_on_adversarial_images_from_a_pipe(shell, tmp_path, checkpoint):
    process = shell(
        f"advtool attack --ckpt {checkpoint} --data digits --split test --eps 0.5 --steps 5 -n 12 -q |"
        f" advtool explain --ckpt {checkpoint} --method gradient,integrated-gradients,smoothgrad --steps 300 -n 12"
        " -o grid.pdf"
    )
    assert process.returncode == 0, process.stderr.decode()
    report = json.loads(process.stdout)
    assert [model["method"] for model in report["models"]] == report["method"].split(",")
    assert [model["of"] for model in report["models"]] == ["logit", "logit", "logit"]
    assert report["models"][1]["measures"]["completeness_error"]["mean"] < 0.01
    assert report["data"]["source"] == "stdin" and (tmp_path / "grid.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.slow
def test_robust_gradients_are_sparser_and_lie_on_the_edges(advtool, tmp_path, shared_data):
    data = ["--data", shared_data / "mnist"]
    common = [
        *data,
        *["-n", "3000", "--epochs", "4", "--arch", "cnn", "--width", "0.25", "-q", "-o"],
    ]
    assert advtool("train", *common, "standard", timeout=600).returncode == 0
    threat = ["--adv", "linf", "--eps", "0.1", "--test-limit", "1"]
    assert advtool("train", *common, "robust", *threat, timeout=600).returncode == 0
    options = ["--ckpt", "standard", "--ckpt", "robust", *data, "-n", "300", "--json"]
    report = json.loads(advtool("explain", *options).stdout)
    for name in ("hoyer", "gini", "edge_alignment"):
        difference = report["models"][1]["versus_first"][name]
        assert difference["mean"] > 5 * difference["se"], name


def test_large_eps_reports_what_the_model_says(explain, tmp_path, checkpoint):
    options = ["--ckpt", checkpoint, "--data", "digits", "--method", "large-eps", "-n", "20", "--eps", "1.2"]
    (report,) = explain(*options, "--target", "random", "-o", "large.png")["models"]
    images = report["images"]
    assert all(image["target"] != image["label"] for image in images)
    assert all(image["success"] == (image["prediction"] == image["target"]) for image in images)
    assert report["success"]["correct"] == sum(image["success"] for image in images) >= 15
    assert 0 < max(image["distance"] for image in images) <= 1.2 * (1 + 1e-6)
    assert opened((tmp_path / "large.png").read_bytes()).size[0] > 10 * 80


def test_interpolation_as_animation(explain, tmp_path, checkpoint):
    options = ["--method", "interpolate", "--points", "6", "-n", "2", "--target", "3", "-o", "way.gif"]
    (report,) = explain("--ckpt", checkpoint, "--data", "digits", *options)["models"]
    assert opened((tmp_path / "way.gif").read_bytes()).n_frames == 10
    for image in report["images"]:
        assert image["target"] == 3 and len(image["predictions"]) == 6
        changed = [place for place in range(6) if image["predictions"][place] != image["predictions"][0]]
        assert image["changes_at"] == (changed[0] / 5 if changed else None)


def test_weights_of_linear_models(explain, tmp_path, linear):
    models = ["--ckpt", linear[0], "--ckpt", linear[1]]
    report = explain(*models, "--data", "digits", "--method", "weights", "-o", "w.png")
    assert opened((tmp_path / "w.png").read_bytes()).size[1] > 3 * 84 + 200
    assert report["data"] == {"source": "digits", "split": "train", "n": 1437, "classes": 10, "preprocessing": None}
    w = package.load(linear[1]).net[1].weight.detach().double().numpy() / 0.4
    l1 = np.abs(w - w.mean(0)).sum(1)
    assert report["models"][1]["measures"]["l1"]["mean"] == pytest.approx(l1.mean())
    assert [picture["l1"] for picture in report["models"][1]["pictures"]] == pytest.approx(list(l1))


def test_contact_sheet_of_pipes_and_files(shell, tmp_path, checkpoint):
    process = shell(
        f"advtool attack --ckpt {checkpoint} --data digits --eps 1 --steps 3 -n 30 -o rand.tar -q &&"
        " advtool data digits -n 40 |"
        " advtool explain --method samples --data - --data digits --data rand.tar --names D,again,D_rand -n 35 -o s.png"
    )
    assert process.returncode == 0, process.stderr.decode()
    report = json.loads(process.stdout)
    assert report["missing"] == 5 and len(report["keys"]) == 30 and b"5 images" in process.stderr
    assert [row["name"] for row in report["rows"]] == ["D", "again", "D_rand"]
    assert report["rows"][0]["labels"] == report["rows"][2]["labels"]


def test_outputs_are_not_overwritten_and_dry_runs_write_nothing(explain, tmp_path, checkpoint):
    (tmp_path / "x.png").write_bytes(b"mine")
    options = ["--ckpt", checkpoint, "--data", "digits", "-o", "x.png"]
    with pytest.raises(UsageError, match="-f overwrites"):
        explain(*options)
    assert explain(*options, "-f", "--dry-run")["picture"] == "x.png"
    assert (tmp_path / "x.png").read_bytes() == b"mine"


@pytest.mark.filterwarnings("ignore::advtool.explain.results.ExplainWarning")
@pytest.mark.parametrize("shape", [(3, 32, 32), (3, 500, 700), (1, 1, 1)], ids=str)
def test_any_shape_and_one_class(explain, tmp_path, shape):
    paths = made(tmp_path, shape, classes=1)
    report = explain("--ckpt", paths[0], "--data", paths[1], "-o", "x.png", "-f")
    assert opened((tmp_path / "x.png").read_bytes()).size[1] > 100
    assert report["models"][0]["measures"]["hoyer"] == {"mean": None, "se": None, "n": 0}  # one class: no gradient
    paths = made(tmp_path, shape, classes=2)
    report = explain("--ckpt", paths[0], "--data", paths[1], "-o", "x.png", "-f", "-n", "1")
    assert report["models"][0]["measures"]["hoyer"]["n"] == (shape != (1, 1, 1))


def test_logits_that_overflow_are_one_clear_line(explain, tmp_path):
    paths = made(tmp_path, (1, 4, 4), classes=2, weight=3e38)
    with pytest.raises(AdvtoolError, match=r"model\.safetensors: the model returns logits that are not finite"):
        explain("--ckpt", paths[0], "--data", paths[1], "-o", "x.png")
    assert not (tmp_path / "x.png").exists()


def made(folder, shape: tuple[int, int, int], classes: int, weight: float = 0.1):
    """A linear model with random weights and a shard of three images of that shape."""
    names = tuple("ab"[:classes])
    model = build(ModelSpec("linear", names, shape, (0.0,) * shape[0], (1.0,) * shape[0]))
    torch.nn.init.uniform_(model.net[1].weight, weight / 2, weight, generator=torch.Generator().manual_seed(0))
    rng = np.random.default_rng(0)
    samples = [sample(f"k{i}", i % classes, rng.integers(0, 256, shape, np.uint8)) for i in range(3)]
    (folder / "model.safetensors").write_bytes(to_bytes(model))
    (folder / "made.tar").write_bytes(shard(samples, Head(names, classes, shape)))
    return folder / "model.safetensors", folder / "made.tar"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--method", "gradeint"], "gradient"),
        (["--method", "gradient,samples"], "list"),
        (["--method", "samples"], "--ckpt: is for .* not for --method samples"),
        (["--method", "weights"], "not linear"),
        (["--method", "large-eps", "--target", "11"], "unknown target"),
        (["--method", "large-eps", "--shards", "x.tar"], "--shards: is for .* not for --method large-eps"),
        (["--method", "large-eps", "--adv", "linf", "--eps", "8"], "8/255"),
        (["--data", "digits", "--data", "digits"], "samples"),
        (["-o", "x.gif"], ".png"),
        (["-o", "-", "--json"], "stdout"),
        (["--shards", "-", "--json"], "stdout"),
        (["--names", "a,b"], "names"),
        (["--of", "probability"], "logit"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_usage_errors(checkpoint, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=words):
        app(["explain", "--ckpt", str(checkpoint), "--data", "digits", *arguments], standalone_mode=False)
    assert not list(tmp_path.iterdir())


def test_the_command_says_and_draws_what_the_call_from_python_does(explain, tmp_path, checkpoint):
    options = ["--method", "large-eps", "--adv", "linf", "--eps", "0.2", "--steps", "5", "--names", "mine", "-n", "5"]
    report = explain("--ckpt", checkpoint, "--data", "digits", *options, "-o", "large.png")
    images = load(resolve("digits", "test"), 5)
    models = {"mine": package.load(checkpoint)}
    result = package_explain.explain(models, images, "large-eps", norm="linf", eps=0.2, steps=5)
    assert (tmp_path / "large.png").read_bytes() == result.picture("png")
    (by_command,), (by_call,) = report["models"], result.report["models"]
    assert by_command.pop("checkpoint")["path"] == str(checkpoint) and by_call.pop("model") == "mine"
    assert by_command == by_call


def test_a_dry_run_shows_what_the_defaults_come_to(explain, checkpoint):
    options = ["--ckpt", checkpoint, "--data", "digits", "--dry-run"]
    shown = explain(*options, "--method", "large-eps")
    settings = {"method": "large-eps", "adv": "l2", "eps": 1.5, "steps": 40, "target": "none", "step_size": 0.05625}
    assert shown["settings"] == [settings]
    found = shown["options"]
    assert (found["limit"], found["batch_size"], found["split"]) == (10, 512, "test")
    assert {name: found[name] for name in ("adv", "eps", "steps", "target", "step_size")}.items() <= settings.items()
    assert [settings["of"] for settings in explain(*options, "--method", "gradient,smoothgrad")["settings"]] == [
        "logit",
        "logit",
    ]
