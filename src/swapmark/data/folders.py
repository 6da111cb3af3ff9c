"""Folders that results are written into: on this machine, or behind a URL as `s3://bucket/points`."""

import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

from swapmark.data.remote import protocols, store_of
from swapmark.errors import InputError, OutputError, one_line
from swapmark.files import is_url, read_regular, refuse_existing, with_slashes, write_text

_WHOLE = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss", "memory"}
"""Stores that put a file in its place whole or not at all; others, as FTP, are not written to."""


def folder_at(place: str | os.PathLike) -> "Folder":
    """The folder at a path or URL; raises InputError for a URL of no store that can be opened."""
    place = os.fspath(place)
    if not is_url(place):
        return Folder(Path(place).expanduser())
    if "://" not in place:  # it went through a Path; fsspec would take it for one
        raise InputError(f"{place} lacks a slash; expected {with_slashes(place)}.")
    store, root = store_of(place)
    kinds = protocols(store)
    if "file" in kinds:
        return Folder(Path(root))
    return _RemoteFolder(place.rstrip("/"), root.rstrip("/"), writable=not _WHOLE.isdisjoint(kinds))


def beside(place: str, name: str) -> str:
    """The path or URL of another file in the same folder.

    >>> beside("s3://bucket/points.csv", "points-skipped.csv")
    's3://bucket/points-skipped.csv'
    """
    parent, _ = _split(place)
    return f"{parent}/{name}" if is_url(place) else str(Path(parent) / name)


def _split(place: str) -> tuple[str, str]:
    """The folder and the name of a path or URL."""
    if is_url(place):
        parent, _, name = place.rstrip("/").rpartition("/")
        return parent, name
    return str(Path(place).parent), Path(place).name


@contextmanager
def writing_at(place: str, others: Sequence[str] = (), *, overwrite: bool) -> Iterator[Path]:
    """A path to write for what shall be at a path or URL; what is made beside it goes along.

    others: names of files that may be made with it. Raises InputError where one of them all is
    there and `overwrite` is not set, OutputError where the URL cannot be written; what was made is
    kept then.
    """
    parent, name = _split(place)
    folder = folder_at(parent)
    if not isinstance(folder, _RemoteFolder):
        for one in (name, *others):
            refuse_existing(folder.path / one, overwrite=overwrite)
        yield folder.path / name
        return
    folder.open()
    for one in (name, *others):
        refuse_existing(f"{folder}/{one}", overwrite=overwrite, there=folder.has(one))
    made = Path(mkdtemp(prefix="swapmark-"))
    try:
        yield made / name
    finally:  # also of another name, as of a table in another format
        for path in sorted(made.iterdir(), key=lambda path: path.name != name):
            folder.put(path, overwrite=overwrite)
        old = [one for one in others if not (made / one).exists()]
        shutil.rmtree(made)
    for one in old:
        folder.remove(one)


class Folder:
    """The files of a folder on this machine, by their names."""

    def __init__(self, path: Path):
        self.path = path

    def __str__(self) -> str:
        return str(self.path)

    def open(self) -> None:
        """Make it, if it is not there."""
        if self.path.exists() and not self.path.is_dir():
            raise InputError(
                f"{self} is no folder. A name without ending is a folder of tables; for a single "
                f"table give a name such as points.csv."
            )
        self.path.mkdir(parents=True, exist_ok=True)

    def has(self, name: str) -> bool:
        """Whether a file is there."""
        return (self.path / name).is_file()

    def names(self) -> set[str]:
        """Of all that lies in it; none where it is not there."""
        try:
            return {path.name for path in self.path.iterdir() if path.exists()}
        except (FileNotFoundError, NotADirectoryError):
            return set()

    def read(self, name: str) -> bytes:
        """All bytes of a file; raises OSError."""
        return read_regular(self.path / name)

    def write(self, name: str, write: Callable[[Path], Any]) -> None:
        """Let `write` make the file, whole or not at all; raises OutputError."""
        write(self.path / name)

    def create(self, name: str, text: str) -> None:
        """Write a text, whole, unless another process was faster; raises OutputError."""
        own = self.path / f".{name}.{uuid.uuid4().hex[:12]}.part"
        write_text(own, text)
        try:
            with suppress(FileExistsError):
                os.link(own, self.path / name)
        except OSError:  # a disk without links
            if not self.has(name):
                write_text(self.path / name, text)
        finally:
            own.unlink()

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        if self.has(name):
            (self.path / name).unlink()

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        """Where a file lies on this machine."""
        yield self.path / name


class _RemoteFolder(Folder):
    """A folder behind a URL."""

    def __init__(self, url: str, root: str, *, writable: bool):
        self.url, self.root, self.writable = url, root, writable

    def __str__(self) -> str:
        return self.url

    @property
    def store(self) -> Any:
        """Asked for each time, as the folder is sent to other processes."""
        return store_of(self.url)[0]

    def open(self) -> None:
        """Nothing is made, as a name that is misspelt would become a bucket."""
        if not self.writable:
            raise InputError(
                f"{self} cannot be written; expected a store as s3:// or gs://, or a place here."
            )

    def has(self, name: str) -> bool:
        with self._telling(InputError):
            self.store.invalidate_cache()
            return self.store.isfile(f"{self.root}/{name}")

    def names(self) -> set[str]:
        with self._telling(InputError):
            self.store.invalidate_cache()
            with suppress(FileNotFoundError):
                paths = {path.rstrip("/") for path in self.store.ls(self.root, detail=False)}
                # Some list a mark of the folder itself.
                return {path.rpartition("/")[2] for path in paths - {self.root}}
        return set()

    def read(self, name: str) -> bytes:
        with self._telling(InputError):
            return self.store.cat_file(f"{self.root}/{name}")

    def write(self, name: str, write: Callable[[Path], Any]) -> None:
        with TemporaryDirectory(prefix="swapmark-") as made:
            write(Path(made) / name)
            self._put(Path(made) / name)

    def put(self, made: Path, *, overwrite: bool) -> None:
        """Put a file there, under its name; raises OutputError that says where it is kept."""
        kept = f"What was to be written is kept in {made.parent}."
        if not overwrite and self.has(made.name):
            raise OutputError(f"{self}/{made.name} exists already. {kept}")
        try:
            self._put(made, kept)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(kept) from None

    def _put(self, made: Path, more: str = "") -> None:
        with self._telling(OutputError, more):
            self.store.put_file(str(made), f"{self.root}/{made.name}")

    def create(self, name: str, text: str) -> None:
        if not self.has(name):  # of two at once the second counts, and the first is told
            self.write(name, lambda path: write_text(path, text))

    def remove(self, name: str) -> None:
        if self.has(name):
            with self._telling(OutputError), suppress(FileNotFoundError):
                self.store.rm_file(f"{self.root}/{name}")

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        with TemporaryDirectory(prefix="swapmark-") as folder:
            path = Path(folder) / name
            path.write_bytes(self.read(name))
            try:
                yield path
            except InputError as error:
                told = str(error).replace(str(path), f"{self}/{name}")
                raise InputError(told) from error

    @contextmanager
    def _telling(self, kind: type[Exception], more: str = "") -> Iterator[None]:
        """Turn what a store's driver raises into errors of ours."""
        try:
            yield
        except Exception as error:
            if kind is InputError and isinstance(error, FileNotFoundError):
                raise
            verb = "written" if kind is OutputError else "read"
            raise kind(
                f"{self} cannot be {verb}: {one_line(error)}. {more + ' ' * bool(more)}Check the "
                f"address, the connection and your credentials, and give the same command again."
            ) from error
