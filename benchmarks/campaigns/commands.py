"""Commands of swapmark in processes of their own, and what every one of them must keep to.

A process is a copy (fork) of this one, which has loaded torch: a command then takes a third of the
time. It is killed, runs out of disk and holds memory as any other.
"""

import contextlib
import csv
import faulthandler
import importlib
import io
import json
import math
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.context import ForkProcess as Process
from pathlib import Path
from typing import Any

from swapmark.cli import main

PATIENCE = 900.0
"""Seconds after which a command of seconds hangs, also on a machine with much other work."""
MOST_ADDRESSES = 12 * 2**30
"""Bytes beyond which a process gets no more: the machine has other work."""
_LOADED = ("accelerate", "matplotlib.pyplot", "tifffile", "swapmark.detector")
_LOADED += ("swapmark.training.train", "swapmark.drawing.sheets", "swapmark.specimens.evaluate")


class Failed(Exception):  # noqa: N818 - a try that failed
    """What a command did that it must not do, in a line."""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    told: str
    """Standard output and standard error."""
    peak: int
    """Most bytes of memory that its process held."""


def start(
    words: Sequence[str | Path], log: Path, cache: Path, file_limit: int | None = None
) -> Process:
    """Start a command, its words into `log`, with a cache of decoded images of its own.

    No file that it writes may grow beyond `file_limit` bytes, as on a disk that is full.
    """
    return start_call(partial(main, list(map(str, words))), log, cache, file_limit)


def start_call(
    act: Callable[[], int], log: Path, cache: Path, file_limit: int | None = None
) -> Process:
    """The same for a call that gives the exit code."""
    for name in _LOADED:
        importlib.import_module(name)
    process = Process(target=_end_with, args=(act, log, cache, file_limit))
    process.start()
    return process


def _end_with(act: Callable[[], int], log: Path, cache: Path, file_limit: int | None) -> None:
    """Be a command: it leads a process group, so that all of it can be ended."""
    os.setsid()
    for number in (1, 2):
        os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    faulthandler.enable(file=2)
    os.environ |= {"SWAPMARK_CACHE": str(cache), "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_ADDRESSES, MOST_ADDRESSES))
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    # What is told must not be cut off by the limit on files.
    printed = io.StringIO() if file_limit else os.fdopen(1, "w", buffering=1, errors="replace")
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit or most, most))
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            code = act()
        except SystemExit as ended:
            code = int(ended.code or 0)
        except BaseException:
            printed.write(traceback.format_exc())
            code = 1
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    if isinstance(printed, io.StringIO):
        os.write(1, printed.getvalue().encode(errors="replace"))
    else:
        printed.flush()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    log.with_suffix(".peak").write_text(str(peak))
    os._exit(code)


def kill(process: Process) -> None:
    """End a command and all that it started, as `kill -9` does."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid or 0, signal.SIGKILL)
    process.kill()
    process.join()


def end_of(process: Process, log: Path) -> int:
    """Wait for the exit code of a command; raises Failed if it hangs or has no words for an end."""
    process.join(PATIENCE)
    if process.is_alive():
        kill(process)
        raise Failed(f"hangs: {told_in(log)[-300:]}")
    check_words(process.exitcode, told_in(log))
    return process.exitcode or 0


def told_in(log: Path) -> str:
    """What a command has said so far."""
    return log.read_text(errors="replace") if log.exists() else ""


def run(words: Sequence[str | Path], log: Path, cache: Path) -> None:
    """Run a command that must succeed; raises Failed."""
    if end_of(start(words, log, cache), log):
        raise Failed(f"{list(map(str, words))}: {told_in(log)[-300:]}")


def check_words(code: int | None, told: str) -> None:
    """Raise Failed unless a command ended with 0, or with 2 and a reason, and no traceback."""
    if code not in (0, 2) or "Traceback" in told or (code == 2 and not told.strip()):
        raise Failed(f"exit code {code}: {told[-600:]}")


def run_each(
    commands: Sequence[Sequence[str | Path]], folder: Path, file_limit: int | None = None
) -> list[Ended]:
    """Run commands one after another, their words into folder/logs and the cache beside it.

    Raises Failed if one hangs, crashes, or ends with neither 0 nor 2 and words.
    """
    (folder / "logs").mkdir(exist_ok=True)
    ended = []
    for number, words in enumerate(commands):
        log = folder / "logs" / f"{number}.txt"
        try:
            code = end_of(start(words, log, folder / "cache", file_limit), log)
        except Failed as failed:
            raise Failed(f"{list(map(str, words))}: {failed}") from None
        ended.append(Ended(code, told_in(log), int(log.with_suffix(".peak").read_text())))
    return ended


def same_run(one: Path, other: Path) -> None:
    """Raise Failed unless two runs are alike bit for bit: weights, settings, metrics."""
    for name in ("model/model.safetensors", "model/config.json", "config.yaml"):
        if (one / name).read_bytes() != (other / name).read_bytes():
            raise Failed(f"{name} differs from that of an undisturbed run")
    if _metrics(one) != _metrics(other):
        raise Failed("metrics.jsonl differs from that of an undisturbed run")


def _metrics(run: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


def rows_of(table: Path) -> list[list[str]]:
    """The rows of a table without its header; none where there is no table."""
    if not table.exists():
        return []
    with table.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))[1:]


def check_points(table: Path) -> int:
    """The number of rows; raises Failed if one has a cell that is no finite number."""
    rows = rows_of(table)
    for row in rows:
        try:
            finite = all(math.isfinite(float(cell)) for cell in row[1:])
        except ValueError:
            finite = False
        if not finite:
            raise Failed(f"{table.name} has a row that is not of numbers: {row}")
    return len(rows)


@contextlib.contextmanager
def nothing_changed(folder: Path, *but: Path) -> Iterator[None]:
    """Raise Failed if a file in the folder is written, changed or lost, except under `but`."""
    before = _snapshot(folder, but)
    yield
    after = _snapshot(folder, but)
    if changed := {path for path, _ in before ^ after}:
        raise Failed(f"written, changed or lost: {sorted(map(str, changed))[:5]}")


def _snapshot(folder: Path, but: Sequence[Path]) -> set[tuple[Path, tuple[int, int]]]:
    files = [path for path in folder.rglob("*") if not any(map(path.is_relative_to, but))]
    stats = [(path, path.lstat()) for path in files if not path.is_dir()]
    return {(path, (stat.st_size, stat.st_mtime_ns)) for path, stat in stats}
