"""The table of marks while a page has it open: read, held against others, changed, saved."""

import shutil
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from swapmark.data.sources import Source
from swapmark.errors import InputError
from swapmark.files import writing
from swapmark.points.formats import format_to_read, format_to_write, read_points, write_points
from swapmark.points.rows import match_files
from swapmark.points.table import Points, default_names


class Marks:
    """P points in those of some pictures, `files`, that have a row in the table `path`.

    An existing table is gone on with in its own format. Rows of other pictures stay in it, and the
    file as it was found is kept beside it, with .bak behind its name. `images` is where pictures
    lie. Raises InputError where another page has the table open, or it cannot be gone on with.
    """

    def __init__(
        self,
        path: Path,
        files: Sequence[str],
        images: Source,
        names: Sequence[str] = (),
        format: str | None = None,
    ):
        self.path, self.files = path, files
        self.notes: list[str] = []
        """What to know of the table, in words."""
        self.lost: tuple[str, ...] = ()
        """What its format does not hold, in words."""
        if not path.is_file():
            format_to_write(path, format)  # before a folder or a lock is made for a slip
        self._lock = _locked(path)
        try:
            is_there = path.is_file()
            self.format = (format_to_read if is_there else format_to_write)(path, format)
            found = self._read(images) if is_there else Points((), (), np.zeros((0, 0, 2)))
            rows, notes = match_files(found.files, files)
            sizes = np.full((len(found), 2), np.nan) if found.sizes is None else found.sizes
            self.table = _with_names(replace(found, sizes=sizes.astype(float)), names)
        except BaseException:
            self._lock.release()
            raise
        self.notes += notes
        self.row = {int(index): row for row, index in enumerate(rows) if index >= 0}
        """The row of each picture that has one, by the picture's index."""
        marked = self.table.marked
        self.missing = ~marked & marked.any(axis=1, keepdims=True)
        """Of each row (P,): the points that are not to be seen, as the user said. A row of a table
        without any mark waits to be marked."""
        self.unsaved = False
        """Whether the last change could not be written."""
        self._kept = len(found)
        self._state = _signature(path)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the points."""
        return self.table.names

    @property
    def begun(self) -> list[int]:
        """The pictures in which a point has a place or is missing."""
        begun = np.asarray((self.table.marked | self.missing).any(axis=1))
        return [index for index, row in self.row.items() if begun[row]]

    def of(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """The places (P, 2), NaN where there is none, and the missing points (P,) of a picture."""
        if (row := self.row.get(index)) is None:
            return np.full((len(self.names), 2), np.nan), np.zeros(len(self.names), dtype=bool)
        return self.table.xy[row], self.missing[row]

    def is_done(self, index: int) -> bool:
        """Whether each point of a picture has a place or is missing."""
        xy, missing = self.of(index)
        return bool((np.isfinite(xy).all(axis=-1) | missing).all())

    def specimens(self) -> Points:
        """The rows with a mark, with the index of their picture as their file."""
        marked = np.asarray(self.table.marked.any(axis=1))
        index = {row: str(index) for index, row in self.row.items() if marked[row]}
        return replace(self.table.take(list(index)), files=tuple(index.values()))

    def put(self, index: int, xy: np.ndarray, missing: np.ndarray, size: tuple[int, int]) -> None:
        """Change the points of a picture of this size, in pixels, and save the table."""
        if index not in self.row:
            self.row[index] = len(self.table)
            self.table = _with_row(self.table, self.files[index])
            self.missing = np.pad(self.missing, ((0, 1), (0, 0)))
        row = self.row[index]
        self.table.xy[row], self.missing[row] = xy, missing
        assert self.table.sizes is not None
        self.table.sizes[row] = size
        if self.table.split and self.table.split[row] == "train":  # which has no marks
            split = (*self.table.split[:row], "fit", *self.table.split[row + 1 :])
            self.table = replace(self.table, split=split)
        if row >= self._kept and not (np.isfinite(xy).any() or missing.any()):
            rest = np.arange(len(self.table)) != row
            self.table, self.missing = self.table.take(rest), self.missing[rest]
            del self.row[index]
            self.row = {other: at - (at > row) for other, at in self.row.items()}
        self.save()

    def rename(self, names: Sequence[str]) -> None:
        """Give the points other names, in their order, and add those that are more than before."""
        self.table = _renamed(self.table, names)
        more = len(self.names) - self.missing.shape[1]
        self.missing = np.pad(self.missing, ((0, 0), (0, more)))
        self.save()

    def save(self) -> None:
        """Write the table in one step; InputError if another program has changed it meanwhile."""
        self.unsaved = True
        if _signature(self.path) != self._state:
            raise InputError(
                f"{self.path} was changed by another program, and is left as it is. Stop the page "
                "(Ctrl-C) and start it again to go on with the changed table."
            )
        kept = self.path.with_name(f"{self.path.name}.bak")
        if not len(self.table):
            self.path.unlink(missing_ok=True)
        else:
            if self._kept and not kept.exists():
                with writing(kept):
                    shutil.copy2(self.path, kept)
            self.lost = write_points(self.table, self.path, self.format, overwrite=True)
        self._state, self.unsaved = _signature(self.path), False

    def close(self) -> None:
        """Save what could not be saved before, and let others open the table."""
        try:
            if self.unsaved:
                self.save()
        finally:
            self._lock.release()

    def _read(self, images: Source) -> Points:
        """The table that is there; what reading leaves out of it becomes a note."""
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            points = read_points(self.path, self.format, images if self.format == "tps" else None)
        self.notes += [str(warning.message) for warning in told]
        if points.confidence is None and points.frame is None:
            return replace(points, xy=points.xy.astype(float))
        kind = "frames of a video" if points.confidence is None else "what a model found"
        raise InputError(f"{self.path} holds {kind}, no marks in pictures. Choose another --out.")


def _locked(path: Path) -> FileLock:
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_name(f".{path.name}.lock"))
        try:
            lock.acquire(blocking=False)
        except Timeout as error:
            raise InputError(
                f"{path} is open in another page. Go on there, or end that one (Ctrl-C where it "
                "was started), or choose another --out."
            ) from error
    return lock


def _signature(path: Path) -> tuple[int, int] | None:
    """Changes when the file does; None where there is none."""
    if not path.exists():
        return None
    state = path.stat()
    return state.st_size, state.st_mtime_ns


def _with_names(table: Points, names: Sequence[str]) -> Points:
    """The table with these names in place of landmark_1 …, or else beside its own."""
    own = table.names
    if own == default_names(len(own)) and len(names) >= len(own):
        return _renamed(table, names)
    return _renamed(table, [*own, *(name for name in names if name not in own)])


def _renamed(table: Points, names: Sequence[str]) -> Points:
    if len(names) < len(table.names) or not all(names) or len(set(names)) < len(names):
        raise InputError(f"The points are {', '.join(names) or 'none'}; name each once.")
    more = ((0, 0), (0, len(names) - len(table.names)), (0, 0))
    return replace(table, names=tuple(names), xy=np.pad(table.xy, more, constant_values=np.nan))


def _with_row(table: Points, file: str) -> Points:
    """The table with one more row, for marks to fit on where it has splits."""

    def longer(values: np.ndarray) -> np.ndarray:
        return np.concatenate([values.astype(float), np.full((1, *values.shape[1:]), np.nan)])

    return replace(
        table,
        files=(*table.files, file),
        xy=longer(table.xy),
        sizes=None if table.sizes is None else longer(table.sizes),
        scale=None if table.scale is None else longer(table.scale),
        split=table.split and (*table.split, "fit"),
        group=table.group and (*table.group, ""),
    )
