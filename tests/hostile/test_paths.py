"""A path that cannot be opened, read or written is one line, for every option that takes one."""

import contextlib
import os

import pytest
import situations

LONG = "x" * 300
BAD = [
    *(f"{LONG}{suffix}" for suffix in ("", ".tar", ".png")),
    *(f"file/y{suffix}" for suffix in ("", ".tar", ".png")),
    *(f"loop{rest}" for rest in ("", "/x.tar", "/x.png")),
    *("nowhere/x.tar", "nowhere/x.png", "d/" * 3000 + "x.png", f"{{a,{LONG}}}.tar", f"*{LONG}", "/proc/self/mem"),
    *("\udcff/x.tar", "\x1b[31m[/x]\n/y.png", "locked/x.tar"),
]
FEW = "-n 9 --arch linear --epochs 1 --data digits"
OPTIONS = {
    "SOURCE": "data @ --info",
    "SOURCE, verified": "data @ --verify",
    "data -o": "data digits -n 3 -o @",
    "data -o DIR": "data digits -n 3 -o @/ --shard-size 2",
    "--data-root": "data mnist --info --data-root @",
    "--data": "train --data @ --epochs 1 -o made",
    "train -o": f"train {FEW} -o @",
    "--init": "train --init @ --data digits -n 9 --epochs 0 -o made",
    "--eval-data": f"train {FEW} --eval-data @ -o made",
    "train --plot": f"train {FEW} --eval-data digits --plot @ -o made",
    "--trials": f"train {FEW} --trials 2 -o @",
    "--ckpt": "eval --ckpt @ --data digits -n 3",
    "eval --data": "eval --ckpt {m} --data @",
    "eval --plot": "eval --ckpt {m} --data digits -n 3 --adv l2 --eps 0.1 --steps 1 --plot @",
    "--per-sample": "eval --ckpt {m} --data digits -n 3 --adv l2 --eps 0.1 --steps 1 --per-sample @",
    "--base": "eval --ckpt {m} --data digits -n 3 --adv l2 --eps 0.1 --steps 1 --base @",
    "attack -o": "attack --ckpt {m} --data digits --eps 0.1 --steps 1 -n 3 -o @",
    "--resume": "attack --ckpt {m} --data digits --eps 0.1 --steps 1 -n 3 -o @/ --resume",
    "distill --data": "distill --ckpt {m} --data @ --steps 1 -o made",
    "--map": "relabel --data digits --map @ -o made",
    "--predict": "relabel --data digits -n 3 --predict @ -o made",
    "explain -o": "explain --ckpt {m} --data digits -n 3 -o @",
    "--shards": "explain --ckpt {m} --data digits -n 3 --shards @",
    "samples": "explain --method samples --data @ -o made.png",
    "certify --per-sample": "certify --ckpt {m} --data digits -n 1 --sigma 0.5 --samples 10 --per-sample @",
    "certify --plot": "certify --ckpt {m} --data digits -n 1 --sigma 0.5 --samples 10 --plot @",
    "theory --plot": "theory gaussian --sigma1 3 --sigma2 6 --plot @",
}
WRITES = ("-o", "--plot", "--per-sample", "--shards", "--trials", "--resume")


@pytest.mark.parametrize("option", OPTIONS)
def test_a_path_that_is_none(tmp_path, checkpoint, option):
    (tmp_path / "file").write_bytes(b"")
    os.symlink("loop", tmp_path / "loop")
    for path in BAD:
        if path == "/proc/self/mem" and any(word in option for word in WRITES):
            continue
        words = [word.replace("@", path).replace("{m}", str(checkpoint)) for word in OPTIONS[option].split()]
        with contextlib.chdir(tmp_path):
            status, out, err = situations.run(*words)
        if status == 0:  # --trials makes other names of it, and a class of paths is good for some
            assert option == "--trials" and path.startswith("loop"), ascii((path, out))
            continue
        (line,) = err.split("\n")[:-1] or [""]
        assert status in (1, 2) and (not out or option == "SOURCE, verified"), ascii((path, status, out))
        assert line.startswith("advtool: error: ") and line.isprintable() and len(line) < 2100, ascii((path, err))
        assert "input or output failed" not in line, ascii((path, err))
        assert not (tmp_path / "made").exists()
