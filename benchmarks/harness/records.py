"""The file of results, a line a run, and who is at work on which cell."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def append_record(path: Path, record: dict) -> None:
    """Add one line, on disk when this returns; other processes may be adding theirs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(record, ensure_ascii=False) + "\n"
    with path.open("ab+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if file.tell() and _last_byte(file) != b"\n":
            line = "\n" + line  # after a line that was cut short
        file.write(line.encode())
        file.flush()
        os.fsync(file.fileno())


def _last_byte(file) -> bytes:
    file.seek(-1, os.SEEK_END)
    return file.read(1)


@contextmanager
def lock(path: Path) -> Iterator[int | None]:
    """Hold the lock file of a cell; gives None, or the process that holds it already.

    The lock is the system's: it ends with the process, however that ends, so a file that a killed
    process left behind locks nobody out.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            yield int(file.read().strip() or 0)
            return
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield None
        file.truncate(0)
