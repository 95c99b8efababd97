"""Start the command line. Until a command's libraries are imported, Ctrl-C ends the process at once."""

import os
import signal

from advtool.cli import descriptors


def main() -> None:
    descriptors.fill()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # An exception would be lost in some of the callbacks that run while torch is imported.
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    from advtool.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
