"""The real command in a process of its own, forked from a server that has torch imported already.

It saves the two seconds that every start of Python and torch takes. Whatever has to do with starting up, with pipes
between processes or with terminals starts the command itself instead.
"""

import io
import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests_support import REPOSITORY

# The server finds what it is to import by this alone.
os.environ["PYTHONPATH"] = os.pathsep.join(map(str, (Path(__file__).parent, REPOSITORY)))
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["forked_imports"])


def run(arguments: list[str], cwd: Path, env: dict[str, str], stdin: bytes | None, timeout: float):
    """Run ``advtool ARGUMENTS``; stdin is a file with these bytes, /dev/null for None."""
    with tempfile.TemporaryDirectory() as place:
        names = [os.devnull, f"{place}/out", f"{place}/err"]
        if stdin is not None:
            names[0] = f"{place}/in"
            Path(names[0]).write_bytes(stdin)
        process = _context.Process(target=_command, args=(arguments, str(cwd), env, names))
        process.start()
        process.join(timeout)
        if process.is_alive():
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(arguments, timeout)
        out, err = (Path(name).read_bytes() for name in names[1:])
    return subprocess.CompletedProcess(arguments, process.exitcode, out, err)


def _command(arguments: list[str], cwd: str, env: dict[str, str], names: list[str]) -> None:
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    for number, (name, flags) in enumerate(zip(names, (os.O_RDONLY, *2 * [os.O_WRONLY | os.O_CREAT]), strict=True)):
        handle = os.open(name, flags, 0o600)
        os.dup2(handle, number)
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), encoding="utf-8")
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(io.BufferedWriter(io.FileIO(number, "w", closefd=False)), "utf-8", line_buffering=number == 2)
        for number in (1, 2)
    )
    sys.argv = ["advtool", *arguments]
    from advtool.cli.main import main

    main()
