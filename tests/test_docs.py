"""Every command of README and docs runs, on small data and in few steps (`small_runs`); every link leads somewhere."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import command_server
import jq_stand_in
import numpy as np
import pytest
import typer.main
from PIL import Image
from small_runs import SMALLER
from tests_support import REPOSITORY, environment

from advtool.cli.main import app

PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
TEXTS = [*PAGES, REPOSITORY / "CONTRIBUTING.md", REPOSITORY / "CHANGELOG.md"]
LANGUAGES = {"sh", "console", "python", "json", "text"}
NOT_RUN = 2
"""Blocks with a comment ``<!-- not run: reason -->`` before them. Think twice before you raise this."""

SLOW = {"explain", "features"}
"""Pages with so many commands that they take half a minute."""

STAND_INS = {
    "display": "exec cat > /dev/null",  # of ImageMagick
    "pip": "exit 0",  # the package is here
    "pytest": "exit 0",  # is what runs this
    "torchrun": 'while [ "$1" != advtool ]; do shift; done; exec "$@"',  # one process; test_parallel has several
}
OF_TORCHRUN = {"--nproc-per-node", "--nnodes", "--rdzv-endpoint", "--rdzv-backend", "--max-restarts"}
OF_SLURM = {"--kill-on-bad-exit", "--array", "--gres", "--requeue", "--nodes", "--ntasks-per-node", "--signal"}
OF_OTHERS = {"--logdir", "--group", "--flops", "--decode", "--link"} | OF_TORCHRUN | OF_SLURM
"""Options of pip, tensorboard, torchrun, Slurm, and the script of estimates."""


def name(page: Path) -> str:
    return str(page.relative_to(REPOSITORY).with_suffix(""))


@dataclass(frozen=True)
class Block:
    language: str
    text: str
    line: int
    not_run: str | None

    @property
    def script(self) -> str:
        """Shell lines to run; of a session those after ``$``, and their continuations."""
        if self.language == "sh":
            return self.text
        lines, more = [], False
        for line in self.text.splitlines():
            if more or line.startswith("$ "):
                lines.append(line if more else line[2:])
                more = line.endswith(("|", "\\"))
        return "\n".join(lines)


def blocks(page: Path) -> list[Block]:
    found, fence, before = [], None, ""
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if fence is None and line.startswith("```"):
            fence, lines, start = line[3:], [], number
            reason = re.fullmatch(r"<!-- not run: (.+) -->", before)
        elif fence is not None and line == "```":
            found.append(Block(fence, "\n".join(lines), start, reason and reason[1]))
            fence = None
        elif fence is not None:
            lines.append(line)
        before = line
    assert fence is None, f"{page.name}: a block without its end"
    return found


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """A directory for PATH: the real command behind its server, and stand-ins for what is not ours."""
    place = tmp_path_factory.mktemp("bin")
    address = place / "server"
    for program, line in STAND_INS.items():
        (place / program).write_text(f"#!/bin/sh\n{line}\n")
        (place / program).chmod(0o755)
    if not shutil.which("jq"):
        (place / "jq").write_text(f'#!/bin/sh\nexec "{sys.executable}" "{jq_stand_in.__file__}" "$@"\n')
        (place / "jq").chmod(0o755)
    for program in ("advtool", "python"):
        command_server.write_client(place / program, address)
    env = environment()
    env["PYTHONPATH"] = os.pathsep.join((str(REPOSITORY / "tests"), str(REPOSITORY)))
    server = subprocess.Popen(
        [sys.executable, command_server.__file__, address], env=env, stdin=subprocess.PIPE, start_new_session=True
    )
    while not address.exists():
        assert server.poll() is None, "the server did not start"
        time.sleep(0.05)
    yield place
    server.stdin.close()
    server.wait()


def run(script: str, directory: Path, programs: Path) -> subprocess.CompletedProcess:
    env = environment(PATH=f"{programs}{os.pathsep}{os.environ['PATH']}")
    line = ["bash", "-c", f"set -eo pipefail\n{script}"]
    return subprocess.run(line, cwd=directory, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=200)


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory, programs) -> Path:
    """What the pages take to be there: MNIST, CIFAR-10, photographs, a checkpoint of others; all small and made up."""
    place = tmp_path_factory.mktemp("data")
    generator = np.random.default_rng(0)
    for split in ("train", "test"):
        for label in range(10):
            folder = place / "photos" / split / str(label)
            folder.mkdir(parents=True)
            for number in range(6 if split == "train" else 2):
                pixels = generator.integers(0, 256, (34 + label, 40, 3), dtype=np.uint8)
                Image.fromarray(pixels // 2 + 12 * label).save(folder / f"{number}.png")
    shutil.copytree(place / "photos", place / "imagenet")
    result = run(
        """for split in train test; do
          advtool data digits --split $split -n 100 --size 28 -o mnist/
          advtool data photos/ --split $split --size 32 -o imagenette/
        done
        cp -r imagenette cifar10
        cat > save.py <<'END'
import torch, torchvision
model = torchvision.models.resnet18(num_classes=10)
model.conv1 = torch.nn.Conv2d(3, 64, 3, padding=1, bias=False)
torch.save(model.state_dict(), "cifar_l2_0_5.pt")
END
        python save.py""",
        place,
        programs,
    )
    assert result.returncode == 0, result.stderr.decode()
    return place


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=pytest.mark.slow if page.stem in SLOW else (), id=name(page)) for page in PAGES],
)
def test_the_commands_of_a_page_run(page, tmp_path, programs, stand_ins):
    shutil.copytree(stand_ins, tmp_path, dirs_exist_ok=True, copy_function=os.link)
    run_here = [block for block in blocks(page) if not block.not_run and block.language in ("sh", "console", "python")]
    python = [block for block in run_here if block.language == "python"]
    for block in run_here:
        script = block.script
        if block.language == "python":  # they go on from one another, and so are run as one
            if block is not python[-1]:
                continue
            text = "\n".join(part.text for part in python)
            (tmp_path / "block.py").write_text(text.replace("resnet50", SMALLER["--arch"]["resnet50"]))
            script = "python block.py"
        result = run(script, tmp_path, programs)
        assert result.returncode == 0, f"{page.name}, line {block.line}:\n{script}\n{result.stderr.decode()}"


def test_few_blocks_are_not_run():
    listed = [f"{page.name}:{block.line}: {block.not_run}" for page in PAGES for block in blocks(page) if block.not_run]
    assert len(listed) == NOT_RUN, listed


@pytest.mark.parametrize("page", TEXTS, ids=name)
def test_blocks_are_fenced_and_have_a_language(page):
    found = blocks(page)
    assert {block.language for block in found} <= LANGUAGES
    for block in found:
        if block.language == "json":
            json.loads(block.text)
    outside = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
    assert not re.search(r"^    \S", outside, re.M)


@pytest.mark.parametrize("page", TEXTS, ids=name)
def test_links_and_pictures_are_there(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if not re.match(r"https?:", target):
            assert (page.parent / target.partition("#")[0]).exists(), target


def test_options_that_are_named_exist():
    group = typer.main.get_command(app)
    commands = [*group.commands.values(), *group.commands["theory"].commands.values()]
    known = {option for command in commands for p in command.params for option in (*p.opts, *p.secondary_opts)}
    known |= {"--help", "--version"} | OF_OTHERS
    for page in TEXTS:
        named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*[a-z0-9]", page.read_text()))
        assert named <= known, (page.name, named - known)


def test_readme_is_short():
    assert len((REPOSITORY / "README.md").read_text().splitlines()) <= 150


@pytest.mark.parametrize("wanted", jq_stand_in.FILTERS)
def test_the_stand_in_for_jq_does_as_jq(wanted, tmp_path):
    if not (jq := shutil.which("jq")):
        pytest.skip("no jq here")
    entry = {"eps": 0.5, "accuracy": 0.25, "ci95": [0.125, 0.5], "risk": {"joint": 1.5}}
    report = json.dumps({"adversarial": [entry, {**entry, "accuracy": 0.75}]})
    arguments = ["-cs" if wanted.startswith("map") else "-c", wanted]
    real = subprocess.run([jq, *arguments], input=report, capture_output=True, text=True, check=True)
    arguments[0] = "-s" if wanted.startswith("map") else "-c"
    ours = subprocess.run(
        [sys.executable, jq_stand_in.__file__, *arguments], input=report, capture_output=True, text=True, check=True
    )
    assert [json.loads(line) for line in ours.stdout.splitlines()] == [
        json.loads(line) for line in real.stdout.splitlines()
    ]
