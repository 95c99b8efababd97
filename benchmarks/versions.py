"""Whether two checkouts give the same bytes for the examples of the documentation, on small data.

``python benchmarks/versions.py OLD NEW`` runs each line in a folder of its own under each checkout and compares
files and standard output byte for byte: of tars what is not the head, of reports and of what checkpoints say of
themselves the keys that the old one has.
"""

import hashlib
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

LINES = """
advtool train --adv l2 --eps 0.5 --epochs 3 -o robust.safetensors
advtool train --epochs 3 -o standard.safetensors
advtool train --adv l2 --eps 0.5 --epochs 1 -n 200 | advtool eval --adv l2 --eps 0.25,0.5,1 --json -n 60
advtool eval --ckpt robust.safetensors --adv l2 --eps 0.25,0.5,1 --json -n 120
advtool eval --ckpt standard.safetensors --ckpt robust.safetensors --adv linf --eps 8/255 --json -n 60
advtool eval --ckpt robust.safetensors --adv l2 --eps 0.5 --attack autoattack --steps 20 --json -n 40
advtool eval --ckpt robust.safetensors --adv l2 --eps 0.5 --steps 1,5,20 --step-size 0.05 --json -n 60 --plot curve.svg
advtool eval --ckpt robust.safetensors --adv l2 --eps 0.5 --base standard.safetensors --lam 2 --json -n 60
advtool eval --ckpt robust.safetensors --adv l2 --eps 0.5 --attack fgsm,cw --steps 20 --per-sample p.jsonl --json -n 40
advtool data digits --split test | advtool eval --ckpt robust.safetensors --json
advtool data digits --split test -n 50 -o digits.tar
advtool data digits --info --json
advtool attack --ckpt standard.safetensors --split test --eps 0.5 -n 60 | advtool eval --ckpt robust.safetensors --json
advtool relabel --random -n 80 -o random.tar
advtool relabel --shift 1 -n 80 -o shifted.tar
advtool relabel --keep 5,7 -n 80 -o kept.tar
advtool relabel --predict robust.safetensors -n 80 -o predicted.tar
advtool attack --targeted --ckpt standard.safetensors --adv l2 --eps 0.5 --steps 10 --data random.tar -o rand.tar
advtool attack --ckpt standard.safetensors --adv linf --eps 0.1 --attack fgsm --format png8 -n 40 -o fgsm.tar
advtool attack --ckpt standard.safetensors --attack ddn --steps 20 -n 30 -o ddn.tar
advtool attack --ckpt standard.safetensors --attack square --adv linf --eps 0.1 --steps 50 -n 30 -o square.tar
advtool train --data rand.tar --epochs 2 -o rand.safetensors
advtool distill --robust robust.safetensors -n 40 --steps 20 -o dr.tar
advtool distill --robust standard.safetensors -n 40 --steps 20 --from noise --seed 3 -o noise.tar
advtool train --objective trades --adv linf --eps 0.1 --epochs 1 -n 200 -o trades.safetensors
advtool train --objective free --adv linf --eps 0.1 --epochs 4 -n 200 --val 0.2 --ema -o free.safetensors
advtool train --noise 0.1 --epochs 1 -n 200 --arch mlp --hidden 32 -o noise.safetensors
advtool train --schedule step --optimizer sgd --epochs 3 -n 200 --arch linear -o sgd.safetensors
advtool train --adv l2 --eps 0.5 --epochs 1 -n 200 --trials 2 -q --json
advtool explain --ckpt standard.safetensors --ckpt robust.safetensors -n 6 -o gradients.svg
advtool explain --ckpt robust.safetensors --method smoothgrad --shards smooth.tar -n 4 --steps 5
advtool explain --ckpt robust.safetensors --method large-eps -n 4 -o large.png
advtool explain --ckpt robust.safetensors --method interpolate -n 2 --points 4 -o way.png
advtool explain --method samples --data digits --data random.tar -n 4 -o samples.png
advtool theory gaussian --sigma1 3 --sigma2 6 --json
advtool theory gaussian --sigma2 2:6:2 --json
advtool theory bernoulli --json
advtool theory tradeoff --json
advtool theory mle --json
advtool theory mixture --case squares --json
""".strip().splitlines()
NOISE = {"seconds", "images_per_second", "sha256"}


def main(old: Path, new: Path) -> int:
    with tempfile.TemporaryDirectory() as place:
        folders = [Path(place, name) for name in ("old", "new")]
        for folder in folders:
            folder.mkdir()
        different = 0
        for line in LINES:
            outputs = [run(line, checkout, folder) for checkout, folder in zip((old, new), folders, strict=True)]
            problems = [*compare(*outputs), *compared(*folders)]
            different += bool(problems)
            print(f"{'same' if not problems else 'DIFFERENT'}: {line}", *problems, sep="\n    ", flush=True)
        print(f"{len(LINES) - different} of {len(LINES)} lines give the same")
    return bool(different)


def run(line: str, checkout: Path, folder: Path) -> bytes:
    """Standard output of a line under a checkout."""
    script = f'set -o pipefail\nadvtool() {{ "{sys.executable}" -m advtool "$@"; }}\n{line}'
    environment = {**os.environ, "PYTHONPATH": str(checkout), "SOURCE_DATE_EPOCH": "0"}
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, capture_output=True, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        raise SystemExit(f"{line}\n{done.stderr.decode()}")
    return done.stdout


def compared(old: Path, new: Path) -> list[str]:
    """How the files of two folders differ; each is looked at once."""
    names = sorted({path.name for folder in (old, new) for path in folder.iterdir()} - _SEEN)
    _SEEN.update(names)
    found = []
    for name in names:
        pair = [folder / name for folder in (old, new)]
        if not all(path.exists() for path in pair):
            found.append(f"{name}: only in one")
        elif name.endswith(".safetensors"):
            found += [f"{name}{change}" for change in differences(*map(checkpoint, pair), "")]
        elif content(pair[0]) != content(pair[1]):
            found.append(f"{name}: differs")
    return found


_SEEN: set[str] = set()


def content(path: Path) -> object:
    """What has to be the same: all members of a tar but its head, and all bytes of anything else."""
    if path.suffix == ".tar":
        with tarfile.open(path) as tar:
            return [(m.name, tar.extractfile(m).read()) for m in tar if m.name != "__advtool__/head"]
    data = path.read_bytes()
    if path.suffix == ".jsonl":
        return data.split(b"\n")[1:]
    return data


def checkpoint(path: Path) -> dict:
    """The tensors of a checkpoint, as a digest, and what it says of itself, but for the history of its data."""
    data = path.read_bytes()
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    meta = json.loads(header.pop("__metadata__")["advtool"])
    meta.get("data", {}).pop("history", None)
    return {"header": header, "tensors": hashlib.sha256(data[end:]).hexdigest(), "meta": meta}


def compare(old: bytes, new: bytes) -> list[str]:
    """How two outputs differ; of JSON, in what the old one says."""
    if old == new:
        return []
    try:
        return list(differences(json.loads(old), json.loads(new), ""))
    except ValueError:
        return ["standard output differs"]


def differences(old: object, new: object, where: str):
    if isinstance(old, dict) and isinstance(new, dict):
        for name in old.keys() - NOISE:
            yield from differences(old[name], new.get(name), f"{where}.{name}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, pair in enumerate(zip(old, new, strict=True)):
            yield from differences(*pair, f"{where}[{index}]")
    elif old != new:
        yield f"{where}: {old} → {new}"


if __name__ == "__main__":
    sys.exit(main(*map(lambda path: Path(path).resolve(), sys.argv[1:3])))
