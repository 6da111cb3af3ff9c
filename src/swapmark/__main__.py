"""`python -m swapmark`, the same as the command `swapmark`."""

import sys

from swapmark.cli import main

if __name__ == "__main__":
    sys.exit(main())
