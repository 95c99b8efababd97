"""Randomness belongs to a sample: batches, shards, threads and order leave the samples as they are."""

from pathlib import Path

import numpy as np
import pytest
import situations

from advtool.data import sources
from advtool.io.samples import Sample

N = 70
ATTACKS = {
    "pgd": "--attack pgd --adv linf --eps 0.1 --steps 3 --random-start --restarts 2",
    "pgd in l2": "--attack pgd --adv l2 --eps 0.5 --steps 3 --random-start",
    "fgsm": "--attack fgsm --adv linf --eps 0.1 --random-start",
    "apgd": "--attack apgd --adv linf --eps 0.1 --steps 5 --restarts 2",
    "fab": "--attack fab --adv l2 --eps 0.5 --steps 3 --restarts 2",
    "square": "--attack square --adv linf --eps 0.1 --steps 20",
    "targeted": "--attack pgd --adv l2 --eps 0.5 --steps 3 --targeted --random-start",
}
MADE = {
    **{f"attack, {name}": f"attack --ckpt {{m}} {options}" for name, options in ATTACKS.items() if name != "targeted"},
    "distill": "distill --ckpt {m} --steps 3",
    "distill, from noise": "distill --ckpt {m} --steps 3 --from noise",
    "distill, from a part": "distill --ckpt {m} --steps 3 --max-memory 0.000001",
}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> dict[str, Path]:
    """The same images as one shard, as several, and in another order."""
    here = tmp_path_factory.mktemp("data")
    assert situations.run("data", "digits", "--split", "test", "-n", N, "-o", here / "whole.tar")[0] == 0
    assert situations.run("data", here / "whole.tar", "-o", f"{here / 'several'}/", "--shard-size", 9)[0] == 0
    from advtool.io.shards import write_file

    reader = sources.resolve(str(here / "whole.tar")).open()
    write_file(here / "turned.tar", reader.head, [*reader][::-1])
    return {"whole": here / "whole.tar", "several": here / "several" / "*.tar", "turned": here / "turned.tar"}


def made(tmp_path: Path, line: str, source: Path, *more: object) -> list[Sample]:
    out = tmp_path / "made"
    out = f"{out}/" if "--shard-size" in more else f"{out}.tar"
    status, _, err = situations.run(*line.split(), "--data", source, "-o", out, *more, "-q", "-f", "--seed", 3)
    assert status == 0, err
    return [*sources.resolve(out + "*.tar" if out.endswith("/") else out).open()]


def assert_same(found: list[Sample], expected: list[Sample]) -> None:
    known = {sample.key: sample for sample in found}
    assert sorted(known) == sorted(sample.key for sample in expected) and len(known) == N
    far = 0
    for sample in expected:
        other = known[sample.key]
        assert other.members["cls"] == sample.members["cls"]
        assert other.provenance().get("start") == sample.provenance().get("start")
        far += not np.allclose(sample.pixels(), other.pixels(), atol=1e-3)
    assert far <= 1, far  # a sign of a gradient may turn with the last bit


@pytest.mark.parametrize("name", MADE)
def test_neither_batches_nor_shards_nor_order_matter(tmp_path, data, checkpoint, name):
    line = MADE[name].format(m=checkpoint)
    expected = made(tmp_path, line, data["whole"])
    for size in (1, 7, 64):
        assert_same(made(tmp_path, line, data["whole"], "--batch-size", size), expected)
    assert_same(made(tmp_path, line, data["whole"], "--shard-size", 20), expected)
    assert_same(made(tmp_path, line, data["several"]), expected)
    assert_same(made(tmp_path, line, data["turned"]), expected)


@pytest.mark.parametrize("options", ["--random", "--random --exclude-true", "--shift 1"])
def test_new_labels_are_the_same_to_the_byte(tmp_path, data, options):
    line = f"relabel {options}" if "--random" in options else "relabel --shift 1"
    out = tmp_path / "made.tar"

    def labels(source: Path, *more: object) -> dict[str, dict[str, bytes]]:
        seed = ("--seed", 3) if "--random" in options else ()
        status, _, err = situations.run(*line.split(), "--data", source, "--classes", 10, "-o", out, "-f", *seed, *more)
        assert status == 0, err
        return {sample.key: sample.members for sample in sources.resolve(str(out)).open()}

    expected = labels(data["whole"])
    assert labels(data["several"]) == labels(data["turned"]) == expected


def test_heads_do_not_record_what_does_not_matter(tmp_path, data, checkpoint):
    line = f"distill --ckpt {checkpoint} --steps 1 --from noise --data {data['whole']}".split()
    heads = []
    for more in ([], ["--batch-size", 70], ["--shard-size", 100, "--device", "auto"]):
        out = f"{tmp_path / 'd'}/" if "--shard-size" in more else tmp_path / "d.tar"
        assert situations.run(*line, *more, "-o", out, "-f")[0] == 0
        (path,) = (tmp_path / "d").glob("*.tar") if "--shard-size" in more else [tmp_path / "d.tar"]
        heads.append(path.read_bytes())
    assert heads[0] == heads[1]
    assert b"shard-size" not in heads[2] and b"batch-size" not in heads[1]


def test_outcomes_and_explanations(tmp_path, data, checkpoint):
    import json

    for line in (
        f"eval --ckpt {checkpoint} --adv linf --eps 0.1 --steps 3 --random-start --restarts 2 --seed 3 --json",
        f"explain --ckpt {checkpoint} --method large-eps --eps 2 --steps 3 --json --seed 3",
        f"explain --ckpt {checkpoint} --method smoothgrad --steps 4 --json --seed 3",
    ):
        found = []
        for source, size in (("whole", 64), ("whole", 1), ("whole", 7), ("several", 64)):
            status, out, err = situations.run(*line.split(), "--data", data[source], "--batch-size", size)
            assert status == 0, err
            report = json.loads(out)
            if line.startswith("eval"):
                found.append((report["clean"]["correct"], report["adversarial"][0]["correct"]))
                continue
            (model,) = report["models"]
            found.append({image["key"]: image for image in model["images"]})
        if line.startswith("eval"):
            assert len({*found}) == 1, found
            continue
        for other in found[1:]:
            assert other.keys() == found[0].keys()
            for key, image in found[0].items():
                for name, value in image.items():
                    close = pytest.approx(value, rel=1e-2, abs=1e-3) if isinstance(value, float) else value
                    assert other[key][name] == close, (line, key, name)


def test_threads_that_decode_do_not_matter(tmp_path, data):
    files = []
    for workers in (1, 3):
        out = tmp_path / f"{workers}.safetensors"
        line = ["train", "--arch", "linear", "--epochs", "1", "--max-memory", "0.000001", "-q"]
        assert situations.run(*line, "--data", data["several"], "--workers", workers, "-o", out)[0] == 0
        files.append(out.read_bytes())
    assert files[0] == files[1] and b'streamed\\": true' in files[0]
