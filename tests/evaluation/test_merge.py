"""Evaluations of parts give the evaluation of the whole."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from tests_support import environment

from advtool import load as load_model
from advtool.attacks import L2
from advtool.data.arrays import load
from advtool.data.sources import resolve
from advtool.device import Settings
from advtool.evaluation.cascade import evaluate_ensemble
from advtool.evaluation.evaluate import evaluate
from advtool.evaluation.merge import merged
from advtool.registry import ensemble, get, plans

SETTINGS = Settings(torch.device("cpu"))


def test_parts_merge_to_the_whole(checkpoint):
    model, images = load_model(checkpoint), load(resolve("digits", "test"), 61)
    attacks = plans(ensemble("fgsm,pgd"), L2(0.5), {"steps": 3})

    def evaluation(part) -> dict:
        result = evaluate(model, part, [get("pgd").plan(L2(0.3), {"steps": 5})], SETTINGS)
        entry, _ = evaluate_ensemble(model, part, attacks, SETTINGS)
        for row in entry["breakdown"]:
            row["seconds"] = 0.0
        result["adversarial"].append(entry)
        return result

    whole = evaluation(images)
    parts = [evaluation(images.take(np.arange(rank, 61, 3))) for rank in range(3)]
    found = merged(parts)
    risks = [(e.pop("risk"), f.pop("risk")) for e, f in zip(whole["adversarial"], found["adversarial"], strict=True)]
    assert found == whole
    for expected, risk in risks:
        assert risk == pytest.approx(expected)


def test_two_processes_report_what_one_does(advtool, checkpoint, tmp_path):
    arguments = ["eval", "--ckpt", str(checkpoint), "--adv", "l2", "--eps", "0.25,0.5", "--attack", "fgsm,apgd-ce"]
    arguments += ["--steps", "5", "--lam", "0.5", "--json"]
    one = json.loads(advtool(*arguments).stdout)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "advtool"]
    done = subprocess.run(
        [*torchrun, *arguments], env=environment(), stdin=subprocess.DEVNULL, capture_output=True, timeout=120
    )
    assert done.returncode == 0, done.stderr.decode()
    two = json.loads(done.stdout)
    for entry, other in zip(one["adversarial"], two["adversarial"], strict=True):
        assert (other["correct"], other["n"]) == (entry["correct"], entry["n"])
        risk = entry["risk"]
        assert other["risk"] == pytest.approx(risk)
        assert risk["joint"] == pytest.approx(risk["classification"] + 0.5 * risk["adversarial"])
    assert two["clean"] == one["clean"]
    assert two["flags"] == one["flags"]
