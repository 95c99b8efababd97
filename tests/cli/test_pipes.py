"""Stages that pipe into one another, and into other programs."""

import json
import subprocess
import time

from tests_support import COMMAND, environment


def test_train_pipes_into_eval(shell):
    process = shell(
        "advtool train --arch mlp --hidden 64 --epochs 2 --adv l2 --eps 0.5 |"
        " advtool eval --adv l2 --eps 0.25,0.5 --steps 5"
    )
    assert process.returncode == 0, process.stderr.decode()
    report = json.loads(process.stdout)
    assert process.stdout.count(b"\n") == 1
    assert report["schema"] == 1 and report["checkpoint"]["path"] == "stdin"
    assert report["clean"]["n"] == 360
    clean, small, large = report["clean"], *report["adversarial"]
    assert (small["eps"], large["eps"], large["steps"]) == (0.25, 0.5, 5)
    assert clean["accuracy"] >= small["accuracy"] >= large["accuracy"]
    assert (
        large["risk"]["joint"] == 1 - large["accuracy"] or abs(large["risk"]["joint"] + large["accuracy"] - 1) < 1e-12
    )
    low, high = clean["ci95"]
    assert low < clean["accuracy"] < high


def test_train_pipes_into_eval_without_a_shell():
    train = subprocess.Popen(
        [*COMMAND, "train", "--epochs", "1", "-n", "256"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    evaluation = subprocess.run(
        [*COMMAND, "eval"], stdin=train.stdout, capture_output=True, env=environment(), timeout=120
    )
    train.stdout.close()
    train.stderr.close()
    assert train.wait(60) == 0
    assert json.loads(evaluation.stdout)["clean"]["n"] == 360


def test_data_through_a_pipe_equals_data_from_its_source(shell, tmp_path, checkpoint):
    process = shell(
        f"advtool data digits --split test | advtool eval --ckpt {checkpoint} --json > piped.json\n"
        f"advtool eval --ckpt {checkpoint} --data digits --json > direct.json\n"
        f"advtool data digits --split test -o out/ --shard-size 100 2>/dev/null || mkdir out\n"
        f"advtool data digits --split test -o out/ --shard-size 100 -f\n"
        f"advtool eval --ckpt {checkpoint} --data 'out/test-{{000000..000003}}.tar' --json > sharded.json"
    )
    assert process.returncode == 0, process.stderr.decode()
    reports = [json.loads((tmp_path / f"{name}.json").read_text()) for name in ("piped", "direct", "sharded")]
    assert reports[0]["clean"] == reports[1]["clean"] == reports[2]["clean"]
    assert reports[0]["data"]["split"] == "test"


def test_data_pipes_into_train(shell, tmp_path):
    process = shell(
        "advtool data digits | advtool train --arch mlp --epochs 1 -o a.safetensors && "
        "advtool train --arch mlp --epochs 1 -o b.safetensors --data digits"
    )
    assert process.returncode == 0, process.stderr.decode()
    assert b"no test split" in process.stderr
    a, b = ((tmp_path / f"{name}.safetensors").read_bytes() for name in "ab")
    assert a[-1000:] == b[-1000:]  # the same weights; the metadata tell of different sources


def test_concatenated_tars_are_both_read(shell):
    process = shell("advtool data digits --split test > a.tar; cat a.tar a.tar | advtool data --info")
    assert json.loads(process.stdout)["parts"][0]["n"] == 720


def test_a_reader_that_leaves_early_ends_the_writer_with_141(shell):
    process = shell("advtool train --epochs 0 -q | head -c 100 > part; echo ${PIPESTATUS[0]}")
    assert process.stdout == b"141\n"
    assert process.stderr == b""
    process = shell("advtool data digits | head -c 1000 > part; echo ${PIPESTATUS[0]}")
    assert process.stdout == b"141\n"
    assert process.stderr == b""


def test_help_is_quick_because_it_imports_no_torch(advtool):
    code = (
        "import sys; from advtool.cli import main; sys.argv=['advtool','--help']\n"
        "try: main.main()\nexcept SystemExit: print('torch' in sys.modules, file=sys.stderr)"
    )
    import sys

    process = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment(), timeout=60)
    assert process.stderr.strip() == b"False"
    assert b"train" in process.stdout


def test_the_same_command_gives_the_same_bytes(shell, tmp_path):
    train = "advtool train --arch mlp --hidden 32 --epochs 1 -n 200 --adv linf --eps 0.1 --test-limit 20 -q"
    line = train + " -o {0}.safetensors; advtool data digits -o {0}.tar"
    assert shell(line.format("a")).returncode == 0
    time.sleep(1.1)  # a time stamp would differ
    assert shell(line.format("b")).returncode == 0
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()
