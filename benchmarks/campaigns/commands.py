"""Commands of swapmark in processes of their own, and what every one of them must keep to."""

import contextlib
import csv
import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

PATIENCE = 900.0
"""Seconds after which a command of seconds hangs, also on a machine with much other work."""


class Failed(Exception):  # noqa: N818 - a try that failed
    """What a command did that it must not do, in a line."""


@dataclass(frozen=True)
class Job:
    """A command line that ends by itself."""

    words: Sequence[str]
    file_limit: int | None = None
    """Bytes that no file may exceed, as on a disk that is full."""


@dataclass(frozen=True)
class Ended:
    """How a job ended."""

    code: int | None
    """None where an error came through that should have been told in words."""
    told: str
    """Standard output and standard error."""
    seconds: float
    peak: int
    """Most bytes of memory that its process has held until then."""


def surroundings(cache: Path) -> dict[str, str]:
    """The environment of a command with a cache of decoded images of its own."""
    own = {"SWAPMARK_CACHE": str(cache), "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
    return os.environ | own | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def start(words: Sequence[str | Path], log: Path, cache: Path) -> subprocess.Popen:
    """Start a command, its words into `log`; it leads a process group, so that all of it ends."""
    command = [sys.executable, "-m", "swapmark", *map(str, words)]
    with log.open("ab") as file:
        return subprocess.Popen(
            command, stdout=file, stderr=file, env=surroundings(cache), start_new_session=True
        )


def kill(process: subprocess.Popen) -> None:
    """End a command and all that it started, as `kill -9` does."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def end_of(process: subprocess.Popen, log: Path) -> int:
    """Wait for the exit code of a command; raises Failed if it hangs or has no words for an end."""
    try:
        code = process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        kill(process)
        raise Failed(f"hangs: {process.args}") from None
    check_words(code, log.read_text(errors="replace"))
    return code


def run(words: Sequence[str | Path], log: Path, cache: Path) -> None:
    """Run a command that must succeed; raises Failed."""
    if end_of(start(words, log, cache), log):
        raise Failed(f"{list(map(str, words))}: {log.read_text(errors='replace')[-300:]}")


def check_words(code: int | None, told: str) -> None:
    """Raise Failed unless a command ended with 0, or with 2 and a reason, and no traceback."""
    if code not in (0, 2) or "Traceback" in told or (code == 2 and not told.strip()):
        raise Failed(f"exit code {code}: {told[-600:]}")


def run_jobs(jobs: Sequence[Job], folder: Path) -> list[Ended]:
    """Run jobs one after another in one process, which has loaded torch once.

    Raises Failed if one hangs, ends the process, or ends with neither 0 nor 2 and words.
    """
    given, results, log = (folder / name for name in ("jobs.json", "results.jsonl", "log.txt"))
    given.write_text(json.dumps([asdict(job) for job in jobs]))
    command = [sys.executable, "-m", "campaigns.session", str(given), str(results)]
    cache = folder / "cache"
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env=surroundings(cache))
    try:
        code = process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        code = process.wait()
    lines = results.read_text().splitlines() if results.exists() else []
    ended = [Ended(**json.loads(line)) for line in lines]
    for job, end in zip(jobs, ended, strict=False):
        try:
            check_words(end.code, end.told)
        except Failed as failed:
            raise Failed(f"{list(job.words)}: {failed}") from None
    if code or len(ended) < len(jobs):
        words = [*jobs, Job(["the end"])][len(ended)].words
        raise Failed(f"{list(words)} ended the process ({code}): {log.read_text()[-600:]}")
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
