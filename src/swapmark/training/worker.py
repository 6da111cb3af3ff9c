"""A process of `--devices N`: python -m swapmark.training.worker IMAGES RUN [--quiet]."""

import sys
from pathlib import Path

from swapmark.errors import SwapmarkError
from swapmark.training.run import existing_run
from swapmark.training.train import continue_run


def main(arguments: list[str]) -> int:
    """Train the prepared run as one of torchrun's processes."""
    images, out = arguments[:2]
    try:
        continue_run(images, existing_run(Path(out)), progress="--quiet" not in arguments)
    except SwapmarkError as error:
        print(f"swapmark: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
