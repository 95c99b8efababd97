"""Nothing is asked of the network without ``--download``: all commands, sources and hubs, with sockets forbidden."""

import subprocess
import sys

import pytest
from tests_support import REPOSITORY, environment

SCRIPT = """
import contextlib, os, sys
FORBIDDEN = ("socket.__new__", "socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.bind")
opened = []

def audit(event, arguments):
    if event in FORBIDDEN:
        opened.append(f"{event} {arguments}")
        raise PermissionError(event)

sys.addaudithook(audit)
import situations
for line in sys.argv[1:]:
    status, out, err = situations.run(*line.split())
    said = err.strip().splitlines()[-1:] or [""]
    print(status, len(opened), line, "|", said[0])
    opened.clear()
"""

DONE = [
    "train --arch linear --epochs 1 -n 40 -o m.safetensors",
    "train --arch linear --epochs 1 -n 40 --adv l2 --eps 0.1 --steps 1 --eval-data digits -o a.safetensors",
    "attack --ckpt m.safetensors --eps 0.1 --steps 1 -n 4 -o a.tar",
    "distill --ckpt m.safetensors --steps 1 -n 4 -o d.tar",
    "relabel --data digits --shift 1 -n 4 -o r.tar",
    "relabel --data digits --predict m.safetensors -n 4 -o p.tar",
    "eval --ckpt m.safetensors --adv l2 --eps 0.1 --steps 1 -n 4 --per-sample p.jsonl --plot e.png",
    "eval --ckpt m.safetensors --adv l2 --eps 0.1 --attack autoattack -n 2",
    "explain --ckpt m.safetensors -n 2 -o g.png",
    "explain --ckpt m.safetensors --method smoothgrad -n 2 --steps 2 -o s.png",
    "explain --method samples --data digits -n 2 -o c.pdf",
    "data --list",
    "data digits --info",
    "data digits --verify",
    "data digits -n 3 -o x.tar",
    "theory gaussian --sigma1 3 --sigma2 6 --plot t.svg",
    "theory tradeoff",
    "--help",
    "--version",
]
REFUSED = [
    *(
        f"data {name} --info"
        for name in ("mnist", "fashion-mnist", "kmnist", "cifar10", "cifar100", "svhn", "cifar10.1")
    ),
    "train --data cifar10 -o y.safetensors",
    "train --arch resnet18 --pretrained -o z.safetensors",
    "data https://example.org/x.tar --info",
    "data hf://datasets/x --info",
    "eval --ckpt https://example.org/m.safetensors",
]
OF_TIMM = [
    "train --arch timm:test_resnet --data digits -n 4 --epochs 0 -o t.safetensors",
    "train --arch timm:test_resnet --pretrained -o z.safetensors",
]


def outcomes(directory, lines: list[str]) -> list[tuple[str, str]]:
    """(exit status and sockets opened, the command and what it said) of each."""
    places = {"HF_HOME": f"{directory}/hf", "TORCH_HOME": f"{directory}/torch", "ADVTOOL_DATA": f"{directory}/none"}
    path = f"{REPOSITORY}:{REPOSITORY / 'tests'}"
    process = subprocess.run(
        [sys.executable, "-c", SCRIPT, *lines],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=directory,
        env=environment(**places) | {"PYTHONPATH": path},
        timeout=300,
    )
    assert process.returncode == 0, process.stderr
    found = [tuple(line.split(" ", 2)) for line in process.stdout.splitlines()]
    assert len(found) == len(lines), process.stdout
    return [(f"{status} {opened}", said) for status, opened, said in found]


def test_no_socket_is_opened_without_download(tmp_path):
    for line, (found, said) in zip(DONE + REFUSED, outcomes(tmp_path, DONE + REFUSED), strict=True):
        assert found in (["0 0"] if line in DONE else ["1 0", "2 0"]), said


def test_nor_for_the_libraries_that_publish_weights(tmp_path):
    pytest.importorskip("timm")
    made, refused = outcomes(tmp_path, OF_TIMM)
    assert made[0] == "0 0", made
    assert refused[0] == "2 0", refused


def test_with_download_one_is(tmp_path):
    """What the others rely on: a socket would have been seen."""
    ((found, said),) = outcomes(tmp_path, ["data mnist --info --download --split train"])
    assert found.startswith("1 ") and found != "1 0", said
