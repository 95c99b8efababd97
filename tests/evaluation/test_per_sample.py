"""The record of what became of each sample: it grows, and an interrupted run goes on from it."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from evaluation_problems import SETTINGS, digits, linear
from tests_support import environment

from advtool import registry
from advtool.errors import AdvtoolError
from advtool.evaluation import evaluate
from advtool.evaluation.measure import measure
from advtool.evaluation.per_sample import PerSampleFile, SampleOutcome, runs_of
from advtool.evaluation.plan import Evaluation

RUN = {"model": "a"}


def outcome(key: str, **changes) -> SampleOutcome:
    fields = {"label": 1, "eps": 0.5, "prediction": 1, "broken_by": None, "distance": None}
    return SampleOutcome(key, **{**fields, **changes})


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "samples.jsonl"
    file = PerSampleFile(path, [RUN])
    file.append([outcome("a"), outcome("b")])
    return path


def test_what_was_written_is_known(written):
    file = PerSampleFile(written, [RUN])
    assert len(file) == 2 and file.known("b", 0.5) == outcome("b") and file.known("b", 0.25) is None
    file.append([outcome("c")])
    assert len(PerSampleFile(written, [RUN])) == 3 and len(written.read_bytes().splitlines()) == 4


def test_only_an_incomplete_last_line_is_ever_taken_away(written, monkeypatch):
    whole = written.read_bytes()
    written.write_bytes(whole + b'{"key": "cut sh')
    inode, opened = written.stat().st_ino, []
    real = open
    monkeypatch.setattr("builtins.open", lambda path, mode="r", **more: opened.append(mode) or real(path, mode, **more))
    file = PerSampleFile(written, [RUN])
    assert written.read_bytes() == whole and written.stat().st_ino == inode
    file.append([outcome("c")])
    assert written.read_bytes().startswith(whole) and {*opened} <= {"rb", "ab"}


def test_outcomes_are_on_disk_before_append_returns(written, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(written.read_bytes()))
    PerSampleFile(written, [RUN]).append([outcome("c")])
    assert b'"c"' in synced[-1]


@pytest.mark.parametrize("content", [b"", b'{"run": {"mo'])
def test_an_empty_file_is_a_beginning(tmp_path, content):
    path = tmp_path / "samples.jsonl"
    path.write_bytes(content)
    PerSampleFile(path, [RUN]).append([outcome("a")])
    assert len(PerSampleFile(path, [RUN])) == 1


@pytest.mark.parametrize("content", [b"notes", b"notes\n", b'{"run": {"model": "b"}, "schema": 1}\n', b"a\nb\n"])
def test_a_file_of_something_else_is_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "samples.jsonl"
    path.write_bytes(content)
    with pytest.raises(AdvtoolError, match="another run"):
        PerSampleFile(path, [RUN])
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "changes", [{}, {"key": []}, {"label": "1"}, {"eps": float("inf")}, {"image": 1}, {"prediction": -1}, {"x": 1}]
)
def test_a_line_that_is_no_outcome_is_named(written, changes):
    line = json.dumps(outcome("c").to_json() | changes) if changes else "[]"
    written.write_bytes(written.read_bytes() + line.encode() + b"\n")
    with pytest.raises(AdvtoolError, match="line 4"):
        PerSampleFile(written, [RUN])


def test_it_cannot_be_written(tmp_path):
    with pytest.raises(AdvtoolError, match="cannot write"):
        PerSampleFile(tmp_path / "nowhere" / "samples.jsonl", [RUN])


def test_an_interrupted_run_goes_on(tmp_path):
    model, options = linear(), {"adv": "l2", "eps": [0.2, 0.3], "attack": "fgsm,pgd", "steps": 5, "checks": False}
    path = tmp_path / "samples.jsonl"
    expected = evaluate(model, digits(), per_sample=path, **options)["adversarial"]
    whole = path.read_bytes()
    assert len(whole.splitlines()) == 201
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:41]) + b'{"key": "cut sh')
    attacked, net = [], model[1]
    hook = net.register_forward_hook(lambda *arguments: attacked.append(1))
    found = evaluate(model, digits(), per_sample=path, **options)["adversarial"]
    assert path.read_bytes() == whole
    for entry, other in zip(expected, found, strict=True):
        for row in entry["breakdown"] + other["breakdown"]:
            for cost in ("seconds", "forward", "backward"):
                del row[cost]
        assert entry == other
    attacked.clear()
    evaluate(model, digits(), per_sample=path, **options)
    hook.remove()
    assert len(attacked) == 5 and path.read_bytes() == whole  # whether calls differ, and the clean pass
    evaluate(model, digits(), per_sample=path, **{**options, "eps": 0.4})
    assert path.read_bytes().startswith(whole)
    for changed in ({"steps": 6}, {"random_start": True}, {"seed": 1}, {"attack": "pgd"}):
        with pytest.raises(AdvtoolError, match="another run"):
            evaluate(model, digits(), per_sample=path, **{**options, **changed})
    with pytest.raises(AdvtoolError, match="another run"):
        evaluate(linear(1), digits(), per_sample=path, **options)


def test_the_first_line_says_every_option_and_files_of_version_0_1_are_still_read(tmp_path):
    plan = Evaluation.of(adv="l2", eps=0.3, attack="fgsm,pgd", steps=5, per_sample="x")
    run, earlier = runs_of(plan, "abc", SETTINGS)
    assert run["attacks"] == [
        {"attack": "fgsm", "random_start": False, "targeted": False},
        {
            "attack": "pgd",
            "steps": 5,
            "step_size": {"per_eps": 0.5},
            "random_start": False,
            "restarts": 1,
            "keep": "best",
            "targeted": False,
        },
    ]
    asked = runs_of(Evaluation.of(adv="l2", eps=0.3, steps=5, step_size=0.5, per_sample="x"), "abc", SETTINGS)[0]
    assert asked["attacks"][0]["step_size"] == 0.5
    path = tmp_path / "samples.jsonl"
    start = (
        '{"run": {"attacks": ["fgsm", "pgd"], "request": {"amp": false, "keep": null, "loss": null, "norm": "l2",'
        ' "random_start": null, "restarts": 1, "seed": 0, "step_size": null, "steps": 5, "targeted": false},'
        ' "sha256": "abc"}, "schema": 1}\n'
    )
    path.write_text(start + json.dumps(outcome("a").to_json()) + "\n")
    assert len(PerSampleFile(path, [run, earlier])) == 1
    other = runs_of(Evaluation.of(adv="l2", eps=0.3, attack="fgsm,pgd", steps=6, per_sample="x"), "abc", SETTINGS)
    with pytest.raises(AdvtoolError, match="another run"):
        PerSampleFile(path, other)


def test_outcomes_of_other_images_are_refused(tmp_path):
    plan = Evaluation.of(adv="l2", eps=0.5, steps=1, per_sample="x")
    file = PerSampleFile(tmp_path / "samples.jsonl", [RUN])
    images = digits()
    file.append([outcome(images.keys[0], label=int(images.labels[0]) + 1)])
    file = PerSampleFile(tmp_path / "samples.jsonl", [RUN])
    with pytest.raises(AdvtoolError, match="other images"):
        measure(plan, linear(), images, SETTINGS, record=file)


def kinds_of_other_images():
    """Images with the keys of the digits that differ in one thing each."""
    images = digits()
    yield "labels", replace(images, labels=(images.labels + 1) % 10)
    yield "pixels", replace(images, pixels=images.pixels[::-1].copy())
    last = images.pixels.copy()
    last[-1, 0, 0, 0] ^= 1
    yield "one bit of one image", replace(images, pixels=last)
    renamed = replace(images.head, classes=tuple("abcdefghij"))
    yield "names of classes", replace(images, head=renamed)


@pytest.mark.parametrize("other", [pytest.param(each, id=name) for name, each in kinds_of_other_images()])
def test_what_was_found_for_other_images_of_the_same_keys_is_not_taken(tmp_path, other):
    path, options = tmp_path / "samples.jsonl", {"adv": "l2", "eps": 0.3, "steps": 2, "checks": False}
    evaluate(linear(), digits(), per_sample=path, **options)
    before = path.read_bytes()
    with pytest.raises(AdvtoolError, match="samples.jsonl: is of other images"):
        evaluate(linear(), other, per_sample=path, **options)
    assert path.read_bytes() == before


def test_samples_of_one_key_in_several_shards_are_each_their_own(tmp_path):
    images = digits()
    twice = replace(images, keys=[*images.keys[:50], *images.keys[:50]])
    path, options = tmp_path / "samples.jsonl", {"adv": "l2", "eps": [0.2, 0.3], "steps": 2, "checks": False}
    expected = evaluate(linear(), twice, per_sample=path, **options)["adversarial"]
    whole = path.read_bytes()
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:31]))  # the first ones of 50 keys
    found = evaluate(linear(), twice, per_sample=path, **options)["adversarial"]
    assert path.read_bytes() == whole
    assert [entry["accuracy"] for entry in found] == [entry["accuracy"] for entry in expected]


def test_what_is_written_is_kept_where_the_disk_is_full(tmp_path, written):
    whole = written.read_bytes()
    program = f"""
import resource
from advtool.errors import AdvtoolError
from advtool.evaluation.per_sample import PerSampleFile, SampleOutcome
resource.setrlimit(resource.RLIMIT_FSIZE, ({len(whole) + 50}, {len(whole) + 50}))
file = PerSampleFile({str(written)!r}, [{RUN!r}])
try:
    file.append([SampleOutcome("c", 1, 0.5, 1, None, None)] * 100)
except AdvtoolError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, env=environment(), check=True)
    assert b"cannot write (File too large)" in done.stdout
    assert written.read_bytes().startswith(whole) and len(PerSampleFile(written, [RUN])) == 2
    assert written.read_bytes() == whole


class Killed(Exception):
    """The end of a run."""


@pytest.mark.parametrize("killed_in", [1, 2, 3, 4])
def test_a_run_that_ends_in_an_attack_of_an_ensemble_goes_on_there(tmp_path, killed_in, monkeypatch):
    options = {"adv": "l2", "eps": 0.4, "attack": "apgd-ce,apgd-t,fab-t,square", "steps": 5, "checks": False}
    names, ran, fatal = options["attack"].split(","), [], [True]
    whole, path = (tmp_path / name for name in ("whole.jsonl", "samples.jsonl"))
    expected = evaluate(linear(), digits(), **options, per_sample=whole, batch_size=20)
    original = registry.Planned.__call__

    def counted(self, network, x, y, **more):
        ran.append((self.name, len(x)))
        if fatal and self.name == names[killed_in - 1] and sum(name == self.name for name, _ in ran) == 2:
            raise Killed
        return original(self, network, x, y, **more)

    monkeypatch.setattr(registry.Planned, "__call__", counted)
    with pytest.raises(Killed):
        evaluate(linear(), digits(), **options, per_sample=path, batch_size=20)
    unfinished = tmp_path / "samples.jsonl.unfinished"
    assert unfinished.exists() and len(path.read_text().splitlines()) == 1
    done = sum(count for _, count in ran) - ran[-1][1]
    ran.clear()
    fatal.clear()
    found = evaluate(linear(), digits(), **options, per_sample=path, batch_size=20)
    assert path.read_bytes() == whole.read_bytes() and not unfinished.exists()
    assert not {name for name, _ in ran} & {*names[: killed_in - 1]}
    assert sum(row["attacked"] for row in expected["adversarial"][0]["breakdown"]) == done + sum(n for _, n in ran)
    for entry in (expected["adversarial"][0], found["adversarial"][0]):
        for row in entry["breakdown"]:
            for cost in ("seconds", "forward", "backward"):
                del row[cost]
    assert found["adversarial"] == expected["adversarial"]


def test_progress_hears_of_each_attack_with_the_accuracy_so_far():
    class Heard:
        def __init__(self):
            self.images, self.attacks = 0, {}

        def __call__(self, count):
            self.images += count

        def attack(self, threat, number, name, passed, standing):
            seen, stood = self.attacks.get((threat, number, name), (0, 0))
            self.attacks[threat, number, name] = seen + passed, stood + standing

    heard = Heard()
    report = evaluate(
        linear(), digits(), adv="l2", eps=[0.2, 0.4], attack="fgsm,pgd,square", steps=20, progress=heard, batch_size=30
    )
    assert heard.images == 3 * len(digits())
    for entry in report["adversarial"]:
        stood = report["clean"]["correct"]
        for number, row in enumerate(entry["breakdown"], 1):
            stood -= row["broken"]
            assert heard.attacks[f"l2 {entry['eps']:g}", number, row["attack"]] == (len(digits()), stood)
    alone = Heard()
    evaluate(linear(), digits(20), adv="l2", eps=0.2, steps=2, progress=alone, checks=False)
    assert alone.attacks == {}
