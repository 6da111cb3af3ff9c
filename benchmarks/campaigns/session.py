"""Runs the command lines in a file, one after another, and writes a line of JSON for each."""

import faulthandler
import io
import json
import resource
import sys
import time
import traceback
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from swapmark.cli import main

MOST_ADDRESSES = 12 * 2**30
"""Bytes beyond which this process gets no more: the machine has other work."""


def main_of(words: list[str], file_limit: int | None) -> dict:
    """Run one command line; what comes through as an error gets no exit code."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    began, code, printed = time.monotonic(), None, io.StringIO()
    if file_limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, before[1]))
    try:
        with redirect_stdout(printed), redirect_stderr(printed):
            try:
                code = main(words)
            except SystemExit as ended:
                code = ended.code
            except BaseException:
                printed.write(traceback.format_exc())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    seconds = round(time.monotonic() - began, 2)
    return {"code": code, "told": printed.getvalue()[-2000:], "seconds": seconds, "peak": peak}


if __name__ == "__main__":
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_AS, (MOST_ADDRESSES, MOST_ADDRESSES))
    with Path(sys.argv[2]).open("a", encoding="utf-8") as results:
        for job in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")):
            results.write(json.dumps(main_of(**job)) + "\n")
            results.flush()
