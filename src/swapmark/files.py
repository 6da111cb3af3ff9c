"""Writing files so that a cut at any moment leaves the old one or the new one, whole."""

import csv
import json
import os
import re
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import Any

from swapmark.errors import InputError, OutputError

ABANDONED_SECONDS = 24 * 3600
"""Half-written files older than this were left by a process that was killed."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an OSError while `path` is written into an OutputError that says what to do."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{path} could not be written: {error.strerror or error}. What was saved before is "
            f"untouched. Make room, check the permissions of {path.parent}, or choose another "
            f"place with --out; a training run goes on with --resume."
        ) from error


def write_atomically(path: Path, write: Callable[[Path], Any]) -> Path:
    """Let `write` fill a temporary file beside `path`, then put it in place in one step.

    A link is followed; a device or a pipe, which has no old content to lose, is written directly.
    Raises OutputError, naming the file, when the disk is full or the folder cannot be written.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():
            write(path)
            return path
        place = path.resolve()
        partial = place.with_name(f".{place.name}.{uuid.uuid4().hex[:12]}.part")
        try:
            write(partial)
            with partial.open("rb+") as file:
                os.fsync(file.fileno())
            partial.replace(place)
        finally:
            partial.unlink(missing_ok=True)
        sweep(place.parent, escape(place.name))
    return path


def sweep(folder: Path, names: str, seconds: float = ABANDONED_SECONDS) -> None:
    """Remove half-written files of such `names`, a pattern, that are older than `seconds`."""
    for left in folder.glob(f".{names}.{'[0-9a-f]' * 12}.part"):
        with suppress(OSError):  # another process has finished or removed it
            if time.time() - left.stat().st_mtime >= seconds:
                left.unlink()


def write_text(path: Path, text: str) -> Path:
    """Write a text file in UTF-8, as `write_atomically` does."""
    return write_atomically(path, lambda partial: partial.write_text(text, encoding="utf-8"))


def write_rows(path: Path, rows: Iterable[Sequence]) -> Path:
    """Write rows of cells as CSV, one by one, as `write_atomically` does."""

    def write(partial: Path) -> None:
        # Names of files need not be valid text on every system.
        options: Any = {"encoding": "utf-8", "errors": "backslashreplace", "newline": ""}
        with partial.open("w", **options) as file:
            csv.writer(file, lineterminator="\n").writerows(rows)

    return write_atomically(path, write)


def safe_cell(text: str) -> str:
    """The text with an apostrophe in front if a spreadsheet would take it for a formula.

    >>> safe_cell("=1+1"), safe_cell("a.png")
    ("'=1+1", 'a.png')
    """
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def is_url(text: str) -> bool:
    """Whether it is a URL, and no path: on Windows a drive has one letter.

    >>> is_url("s3://bucket/photos"), is_url("photos/a.png"), is_url("C:/photos")
    (True, False, False)
    """
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", text) is not None


def with_slashes(url: str) -> str:
    """A URL that went through a Path, which left it one slash.

    >>> with_slashes("s3:/bucket/photos")
    's3://bucket/photos'
    """
    return re.sub(":/+", "://", url, count=1)


def local_path(path: str | os.PathLike) -> Path:
    """The path of a file or folder here; raises InputError for a URL: it would be a folder `s3:`.

    >>> local_path("s3://bucket/points.csv")
    Traceback (most recent call last):
    swapmark.errors.InputError: s3://bucket/points.csv is a URL; expected a file or folder here...
    """
    if is_url(os.fspath(path)):
        raise InputError(
            f"{with_slashes(os.fspath(path))} is a URL; expected a file or folder here. Copy it, "
            f"such as by `aws s3 cp` or `gcloud storage cp`. URLs are for pictures, and for what "
            f"`swapmark predict` writes."
        )
    return Path(path).expanduser()


def cache_folder() -> Path:
    """Where decoded images are kept: SWAPMARK_CACHE, or `swapmark` in the user's cache folder.

    It may be deleted at any time and is then built anew.
    """
    caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    chosen = os.environ.get("SWAPMARK_CACHE") or f"{caches}/swapmark"
    return Path(chosen).expanduser().absolute()


def refuse_existing(path: Path | str, *, overwrite: bool, there: bool | None = None) -> None:
    """Raise InputError if a file is `there` that nobody allowed to replace; by default, look."""
    if not overwrite and (Path(path).exists() if there is None else there):
        raise InputError(
            f"{path} exists already. Choose another name, or pass overwrite=True "
            f"(--overwrite on the command line) to replace it."
        )


def read_regular(path: Path) -> bytes:
    """All bytes of a file; OSError for a pipe or device, which may wait or go on for ever."""
    if path.exists() and not path.is_file():
        raise OSError(f"{path} is a folder, pipe or device; expected a file")
    return path.read_bytes()


def parse_json(text: str) -> Any:
    """What a text in JSON holds; raises ValueError for whatever is wrong with it.

    Whole numbers of 20 digits and more become fractions, or infinity: none of ours has as many.
    """
    try:
        return json.loads(text, parse_int=lambda digits: (int, float)[len(digits) > 19](digits))
    except RecursionError as error:
        raise ValueError("brackets in brackets without end") from error


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """All lines that are objects, oldest first; none where there is no file.

    A line that was cut short or damaged is left out. Raises OSError.
    """
    if not path.exists():
        return []
    kept = []
    for line in read_regular(path).decode("utf-8", "replace").splitlines():
        with suppress(ValueError):
            kept.append(parse_json(line))
    return [line for line in kept if isinstance(line, dict)]
