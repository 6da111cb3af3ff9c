"""A process of `--devices N`: python -m swapmark.training.worker IMAGES RUN [--quiet].

It stops, after saving, when its standard input ends: the process that started it wants it to, or
is gone.
"""

import _thread
import os
import sys
import threading
from pathlib import Path

from swapmark.errors import SwapmarkError
from swapmark.training.run import existing_run
from swapmark.training.train import continue_run

USAGE_ERROR, INTERRUPTED = 2, 130


def main(arguments: list[str]) -> int:
    """Train the prepared run as one of several processes, and return the exit code."""
    threading.Thread(target=_stop_at_end_of_input, daemon=True).start()
    images, out = arguments[:2]
    try:
        continue_run(images, existing_run(Path(out)), progress="--quiet" not in arguments)
    except SwapmarkError as error:
        print(f"swapmark: {error}", file=sys.stderr)
        return USAGE_ERROR
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _stop_at_end_of_input() -> None:
    while os.read(0, 1024):  # not sys.stdin, whose lock would be held when Python ends
        pass
    _thread.interrupt_main()  # as Ctrl-C


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
