"""Folders that results are written into: on this machine, or behind a URL as `s3://bucket/points`."""

import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

from swapmark.data.remote import store_of
from swapmark.errors import InputError, OutputError, one_line
from swapmark.files import is_url, read_regular, refuse_existing, write_text


def folder_at(place: str | os.PathLike) -> "Folder":
    """The folder at a path or URL; raises InputError for a URL of no store that can be opened."""
    place = os.fspath(place)
    if not is_url(place):
        return Folder(Path(place).expanduser())
    store, root = store_of(place)
    kinds = {store.protocol} if isinstance(store.protocol, str) else set(store.protocol)
    if "file" in kinds:
        return Folder(Path(root))
    return _RemoteFolder(place, root.rstrip("/"), writable="https" not in kinds)


@contextmanager
def writing_at(place: str, beside: Sequence[str] = (), *, overwrite: bool) -> Iterator[Path]:
    """A path to write for what shall be at a path or URL; what is made beside it goes along.

    beside: names of files that may be made with it. Raises InputError where one of them all is
    there and `overwrite` is not set, OutputError where the URL cannot be written.
    """
    name = PurePath(place).name
    parent = place.removesuffix(name)
    folder = folder_at(parent)
    if not isinstance(folder, _RemoteFolder):
        for one in (name, *beside):
            refuse_existing(folder.path / one, overwrite=overwrite)
        yield folder.path / name
        return
    folder.open()
    there = folder.names()
    for one in (name, *beside):
        refuse_existing(f"{parent}{one}", overwrite=overwrite, there=one in there)
    with TemporaryDirectory(prefix="swapmark-") as made:
        try:
            yield Path(made) / name
        finally:  # an odd name may have led to another format
            names = Folder(Path(made)).names()
            for one in names:
                folder.write(one, partial(shutil.copy, Path(made) / one))
        for old in set(beside) - names:
            folder.remove(old)


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

    def names(self) -> set[str]:
        """Of all that lies in it; none where it is not there."""
        try:
            return {path.name for path in self.path.iterdir()}
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
            if not (self.path / name).exists():
                write_text(self.path / name, text)
        finally:
            own.unlink()

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        (self.path / name).unlink(missing_ok=True)

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        """Where a file lies on this machine."""
        yield self.path / name


class _RemoteFolder(Folder):
    """A folder behind a URL, whose store puts a file in its place whole or not at all."""

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

    def names(self) -> set[str]:
        with self._telling(InputError):
            self.store.invalidate_cache()
            with suppress(FileNotFoundError):
                paths = self.store.ls(self.root, detail=False)
                return {path.rstrip("/").rpartition("/")[2] for path in paths}
        return set()

    def read(self, name: str) -> bytes:
        with self._telling(InputError):
            return self.store.cat_file(f"{self.root}/{name}")

    def write(self, name: str, write: Callable[[Path], Any]) -> None:
        made = Path(mkdtemp(prefix="swapmark-")) / name
        write(made)
        with self._telling(OutputError, f" What was to be written is kept as {made}."):
            self.store.put_file(str(made), f"{self.root}/{name}")
        shutil.rmtree(made.parent)

    def create(self, name: str, text: str) -> None:
        if name not in self.names():  # of two at once the second counts, and the first is told
            self.write(name, lambda path: write_text(path, text))

    def remove(self, name: str) -> None:
        with self._telling(OutputError), suppress(FileNotFoundError):
            self.store.rm_file(f"{self.root}/{name}")

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        with TemporaryDirectory(prefix="swapmark-") as folder:
            path = Path(folder) / name
            path.write_bytes(self.read(name))
            yield path

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
                f"{self} cannot be {verb}: {one_line(error)}.{more} Check the address, the "
                f"connection and your credentials, and give the same command again."
            ) from error
