"""The report: of `evaluate`, of the command, of several processes; its schema, and its meaning."""

import json
import subprocess
import sys
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest
import shard_factory as make
import torch
from evaluation_problems import SETTINGS, digits, linear, tensors
from tests_support import environment

import advtool as package
from advtool.errors import UsageError
from advtool.evaluation import evaluate
from advtool.evaluation.plan import Evaluation
from advtool.evaluation.running import Running, Subject

KEYS = [
    "adv",
    "eps",
    "attack",
    "ensemble",
    "steps",
    "step_size",
    "step_size_searched",
    "random_start",
    "restarts",
    "loss",
    "eot",
    "calls",
    "accuracy",
    "correct",
    "n",
    "ci95",
    "risk",
    "breakdown",
]


@pytest.fixture(scope="module")
def validate():
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(files("advtool").joinpath("schemas/eval.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema).validate


@pytest.fixture(scope="module")
def model():
    return linear()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"adv": "l2", "eps": 0.3},
        {"adv": "l2", "eps": [0.0, 0.3], "steps": 3, "lam": 2.0},
        {"adv": "linf", "eps": 0.05, "steps": [1, 4]},
        {"adv": "linf", "eps": [0.05, 0.1], "steps": [1, 4], "step_size": 0.02},
        {"adv": "l2", "eps": 0.3, "steps": [2, 4], "search_step_size": True},
        {"adv": "l2", "eps": 0.3, "attack": "fgsm,apgd,square,ddn", "steps": 5},
        {"adv": "l2,linf", "eps": [0.3, 0.05], "steps": 3},
        {"adv": "l2", "eps": 0.3, "attack": "fab-t,sdf", "steps": 5, "curve": True},
        {"adv": "l2", "eps": 0.3, "attack": "apgd", "steps": 5, "loss": "margin"},
        {"adv": "l2", "eps": 0.3, "steps": 5, "base": linear(1)},
    ],
    ids=str,
)
def test_every_report_follows_the_schema_and_entries_have_the_same_keys(model, validate, options):
    report = evaluate(model, digits(40), **options)
    validate(json.loads(json.dumps(report)))
    for entry in report["adversarial"]:
        assert [*entry] == KEYS
        assert [*entry["risk"]] == ["classification", "adversarial", "joint", "base"]
        for row in entry["breakdown"]:
            assert [*row] == [
                "attack",
                "steps",
                "restarts",
                "eot",
                "attacked",
                "broken",
                "forward",
                "backward",
                "seconds",
            ]
        risk = entry["risk"]
        assert risk["joint"] == pytest.approx(risk["classification"] + options.get("lam", 1) * risk["adversarial"])
    assert report["checkpoint"]["path"] is None and report["checkpoint"]["sha256"] is None


def test_options_of_an_attack_stand_where_there_is_one(model):
    (pgd,) = evaluate(model, digits(40), adv="linf", eps=0.05, steps=4, checks=False)["adversarial"]
    assert (pgd["steps"], pgd["step_size"], pgd["random_start"], pgd["restarts"]) == (4, 2.5 * 0.05 / 4, True, 1)
    assert pgd["step_size_searched"] is False and pgd["loss"] is None
    (both,) = evaluate(model, digits(40), adv="l2", eps=0.3, attack="fgsm,ddn", checks=False)["adversarial"]
    assert (both["steps"], both["step_size"], both["step_size_searched"], both["restarts"]) == (1000, None, None, 1)
    assert [row["steps"] for row in both["breakdown"]] == [None, 1000]


def test_tensors_and_several_models(model, validate):
    images = digits(40)
    report = evaluate({"a": model, "b": linear(1)}, tensors(images), adv="l2", eps=0.3, steps=3)
    validate(json.loads(json.dumps(report)))
    first, second = report["models"]
    assert first["checkpoint"]["path"] == "a" and second["checkpoint"]["arch"] == "Sequential"
    assert first["clean"] == evaluate(model, images)["clean"] != second["clean"]
    assert (
        first["adversarial"][0]["correct"]
        == evaluate(model, images, adv="l2", eps=0.3, steps=3)["adversarial"][0]["correct"]
    )
    x, y = tensors(images)
    for wrong in ((x[0], y), (2 * x, y), (x, y[1:]), ((255 * x).byte(), y), (x[:0], y[:0])):
        with pytest.raises(UsageError, match="images"):
            evaluate(model, wrong)
    with pytest.raises(UsageError, match="eps 128: .* are at most 8 apart"):
        evaluate(model, images, adv="l2", eps=(0.5, 128))
    rounded = x.clone()
    rounded[0, 0, 0, :2] = torch.tensor([-1e-9, 1.0000001])
    exact = rounded.clamp(0, 1)
    assert evaluate(model, (rounded, y), adv="l2", eps=0.3)["clean"] == evaluate(model, (exact, y))["clean"]
    with pytest.raises(UsageError, match=r"images: pixels must lie in \[0, 1\], found 0 to 1.0001$"):
        evaluate(model, (x * 1.0001 / x.max(), y))
    with pytest.raises(UsageError, match="per_sample"):
        evaluate({"a": model, "b": model}, images, adv="l2", eps=0.3, per_sample="x")


def test_the_model_is_left_as_it_was(model):
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    evaluate(model, digits(40), adv="l2", eps=0.3, attack="fgsm,pgd", steps=3)
    assert model.training and all(p.requires_grad and p.grad is None for p in model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    model.eval()


def test_python_reports_what_the_command_does(advtool, checkpoint, validate):
    options = ["--adv", "l2", "--eps", "0.25,0.5", "--steps", "5", "--lam", "0.5", "-n", "60", "--device", "cpu"]
    process = advtool("eval", "--ckpt", checkpoint, *options, "--no-amp", "--json")
    printed = json.loads(process.stdout)
    validate(printed)
    made = evaluate(package.load(checkpoint), digits(60), adv="l2", eps=(0.25, 0.5), steps=5, lam=0.5, amp=False)
    for report in (printed, made):
        for name in ("checkpoint", "seconds", "images_per_second"):
            del report[name]
        for entry in report["adversarial"]:
            for row in entry["breakdown"]:
                for cost in ("seconds", "forward", "backward"):
                    del row[cost]
    assert made == printed and [*made] == [*printed]


def test_other_reports_of_the_command_follow_the_schema(advtool, checkpoint, validate):
    shards = advtool("data", "digits", "--split", "test", "-n", "40").stdout
    made = advtool("attack", "--ckpt", checkpoint, "--targeted", "--eps", "1", "--steps", "3", stdin=shards).stdout
    targeted = json.loads(advtool("eval", "--ckpt", checkpoint, stdin=made).stdout)
    validate(targeted)
    several = json.loads(advtool("eval", "--ckpt", checkpoint, "--ckpt", checkpoint, "-n", "40").stdout)
    validate(several)
    assert len(several["models"]) == 2


def test_two_processes_report_what_one_does(advtool, checkpoint):
    arguments = ["eval", "--ckpt", str(checkpoint), "--adv", "l2", "--eps", "0.25,0.5", "--attack", "fgsm,apgd-ce"]
    arguments += ["--steps", "5", "--lam", "0.5", "--json"]
    one = json.loads(advtool(*arguments).stdout)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "advtool"]
    done = subprocess.run(
        [*torchrun, *arguments], env=environment(), stdin=subprocess.DEVNULL, capture_output=True, timeout=120
    )
    assert done.returncode == 0, done.stderr.decode()
    two = json.loads(done.stdout)
    for entry in one["adversarial"] + two["adversarial"]:
        for row in entry["breakdown"]:
            for cost in ("seconds", "forward", "backward"):
                del row[cost]
    assert two["adversarial"] == one["adversarial"]
    assert two["clean"] == one["clean"] and two["flags"] == one["flags"]


def test_parts_report_what_the_whole_does():
    images = digits(120)
    model = linear()
    plan = Evaluation.of(adv="l2", eps=(0.25, 0.5), attack="fgsm,apgd-ce", steps=None)
    settings = replace(SETTINGS, batch_size=20)
    whole = Running(plan, Subject(model), settings)
    whole.add(images)
    parted = Running(plan, Subject(model), settings)
    for start in range(0, 120, 40):
        parted.add(images.take(np.arange(start, start + 40)))
    one, two = whole.report(), parted.report()
    for report in (one, two):
        for name in ("seconds", "images_per_second"):
            del report[name]
        for entry in report["adversarial"]:
            for row in entry["breakdown"]:
                assert all(row.pop(cost) > 0 for cost in ("seconds", "forward", "backward"))
    assert one == two


def test_the_first_image_that_does_not_fit_ends_a_long_stream(advtool, checkpoint, tmp_path):
    made = make.shard([make.sample(f"k{n}", 0, make.pixels(n, side=9)) for n in range(3)])
    done = advtool("eval", "--ckpt", checkpoint, stdin=made[:4608])  # no more than the first
    assert (
        done.returncode == 1 and b"images are 1\xc3\x979\xc3\x979, the model takes 1\xc3\x978\xc3\x978" in done.stderr
    )
