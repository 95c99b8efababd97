"""Start the command line. Until a command's libraries are imported, Ctrl-C ends the process at once."""

import os
import signal

from advtool.cli import descriptors

_HOW_THREADS_WAIT = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")


def main() -> None:
    descriptors.fill()
    if not any(name in os.environ for name in _HOW_THREADS_WAIT):
        # Where others compute too, threads that spin while they wait keep the one that they wait for from its core.
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # An exception would be lost in some of the callbacks that run while torch is imported.
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    from advtool.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
