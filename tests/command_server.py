"""A server that has torch imported already and runs `advtool` and Python scripts for a shell, each in a fork.

It saves the seconds that every start of Python and torch takes: the documentation has about a hundred commands. The
client is a small script that passes its arguments, environment, directory and open files, and exits as the command did.
"""

import contextlib
import importlib
import io
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import stat
import sys
import traceback
from pathlib import Path

CLIENT = """#!{python} -IS
import json, os, socket, sys

server = socket.socket(socket.AF_UNIX)
server.connect("{address}")
request = json.dumps([sys.argv, os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(server, [len(request).to_bytes(8, "big")], [0, 1, 2])
server.sendall(request)
sys.exit(int(server.recv(8) or b"70"))
"""


def write_client(path: Path, address: Path) -> None:
    """Make a program `path` that has the server at `address` run the command of its name."""
    path.write_text(CLIENT.format(python=sys.executable, address=address))
    path.chmod(0o755)


def serve(address: str) -> None:
    """Answer clients until stdin ends, as it does when whoever started the server dies; then end all commands."""
    _import_everything()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address + ".new")
        server.listen(64)
        os.rename(address + ".new", address)  # the client may come from now on
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        while server in select.select([server, sys.stdin], [], [])[0]:
            client, _ = server.accept()
            if os.fork() == 0:
                server.close()
                _attend(client)
            client.close()
    os.killpg(0, signal.SIGKILL)


def _import_everything() -> None:
    """All of the package, and by a command that does little what the command line imports late."""
    import advtool

    for module in pkgutil.walk_packages(advtool.__path__, "advtool."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    importlib.import_module("torch._dynamo")  # optimizers import it, when they are first made
    importlib.import_module("PIL.Image").init()
    sys.argv = ["advtool", "data", "--list"]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        sys.modules["advtool.cli.main"].main()


def _attend(client: socket.socket) -> None:
    """Run one command in a process of its own and tell the client how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    length, files, *_ = socket.recv_fds(client, 8, 3)
    with client.makefile("rb") as stream:
        arguments, directory, environment = json.loads(stream.read(int.from_bytes(length, "big")))
    command = os.fork()
    if command == 0:
        client.close()
        _become(arguments, directory, environment, files)
    for file in files:
        os.close(file)
    status = os.waitstatus_to_exitcode(os.waitpid(command, 0)[1])
    client.sendall(str(status if status >= 0 else 128 - status).encode())
    os._exit(0)


def _become(arguments: list[str], directory: str, environment: dict[str, str], files: list[int]) -> None:
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), encoding="utf-8")
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(io.BufferedWriter(io.FileIO(number, "w", closefd=False)), "utf-8", line_buffering=number == 2)
        for number in (1, 2)
    )
    status = 1
    try:
        status = _run(Path(arguments[0]).name, arguments[1:])
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _run(program: str, arguments: list[str]) -> int:
    if program == "python":
        sys.argv = arguments
        runpy.run_path(arguments[0], run_name="__main__")
        return 0
    from small_runs import smaller

    from advtool.cli.main import main

    sys.argv = ["advtool", *smaller(arguments, stat.S_ISFIFO(os.fstat(0).st_mode))]
    main()
    return 0


if __name__ == "__main__":
    serve(sys.argv[1])
