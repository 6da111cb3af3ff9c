"""Pictures behind a URL, as `s3://bucket/folder`: on any store that fsspec knows, read in threads.

An archive is fetched into the cache once and read there. The drivers of some stores are packages of
their own: s3fs for `s3://`, gcsfs for `gs://`, adlfs for `az://`.
"""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path, PurePosixPath
from typing import Any

from swapmark.data.items import (
    MAX_FILE_BYTES,
    Entry,
    Item,
    as_text,
    is_image_name,
    left_out,
    too_large,
)
from swapmark.data.pixels import ImageProblem
from swapmark.errors import InputError, one_line
from swapmark.files import cache_folder, write_atomically

_VERSIONS = ("ETag", "etag", "md5Hash", "generation", "mtime", "LastModified", "created")
"""What stores call that which changes with a file's content."""
_AT_ONCE: dict[str, threading.Lock] = {}
"""A lock for each kind of store whose driver is not made for several threads."""


def remote_entries(url: str) -> Iterator[Entry] | Path:
    """Every file below a URL, the picture there, or the archive's place in the cache.

    Raises InputError where it cannot be listed, or a driver is missing.
    """
    store, path = _store(url)
    try:
        about = store.info(path)
        files = store.find(path, detail=True) if about["type"] == "directory" else None
    except FileNotFoundError as error:
        raise InputError(f"There is nothing at {url}. Check the address.") from error
    except Exception as error:  # of the store's own kinds
        raise InputError(
            f"{url} cannot be listed: {one_line(error)}. Check the address, the connection and "
            f"your credentials, or copy the pictures here."
        ) from error
    if files is not None:
        return _below(store, about["name"].rstrip("/") + "/", files)
    if is_image_name(PurePosixPath(path).name):
        return iter([_item(store, url, about)])
    return _fetched(store, url, about)


def remote_item(url: str) -> Item:
    """The picture at a URL of a list. It is not looked up, and taken for unchanged until read."""

    def read() -> bytes:
        try:
            store, path = _store(url)
            with _alone(store), store.open(path, "rb") as file:
                data = file.read(MAX_FILE_BYTES + 1)
        except InputError as error:
            raise ImageProblem(str(error)) from error
        except Exception as error:
            raise ImageProblem(f"cannot be fetched: {one_line(error)}") from error
        if problem := too_large(len(data)):
            raise ImageProblem(problem)
        return data

    return Item(as_text(url), url, read, waits=True)


def _below(store: Any, root: str, files: dict[str, dict]) -> Iterator[Entry]:
    for path, about in files.items():
        name = as_text(path.removeprefix(root))
        if is_image_name(name):
            yield _item(store, name, about)
        else:
            yield left_out(name)


def _item(store: Any, name: str, about: dict) -> Item:
    size = about.get("size")
    version = next((str(about[key]) for key in _VERSIONS if key in about), "")
    protocol = store.protocol if isinstance(store.protocol, str) else store.protocol[0]

    def read() -> bytes:
        if size is not None and (problem := too_large(size)):
            raise ImageProblem(problem)
        try:
            with _alone(store):
                return store.cat_file(about["name"])
        except Exception as error:
            raise ImageProblem(f"cannot be fetched: {one_line(error)}") from error

    mark = f"{protocol}://{about['name']} {size} {version}"
    return Item(name, as_text(mark), read, "" if size is None else str(size), waits=True)


def _fetched(store: Any, url: str, about: dict) -> Path:
    """Where the file at a URL lies in the cache; fetched if it is not there, or has changed."""
    version = next((about[key] for key in _VERSIONS if key in about), "")
    mark = hashlib.blake2b(f"{url} {about.get('size')} {version}".encode(), digest_size=16)
    name = PurePosixPath(about["name"]).name
    place = cache_folder() / "fetched" / mark.hexdigest() / name
    if not place.exists():
        try:
            write_atomically(place, lambda partial: store.get_file(about["name"], str(partial)))
        except InputError:
            raise
        except Exception as error:
            raise InputError(f"{url} cannot be fetched: {one_line(error)}.") from error
    return place


def _store(url: str) -> tuple[Any, str]:
    """The file system of fsspec, and the path in it."""
    try:
        from fsspec.core import url_to_fs

        return url_to_fs(url)
    except ImportError as error:
        raise InputError(
            f"{url} needs a package that is not installed: {one_line(error)}. Try: pip install "
            f"'swapmark[remote]'"
        ) from error
    except Exception as error:  # an unknown protocol; no credentials
        raise InputError(f"{url} cannot be opened: {one_line(error)}.") from error


def _alone(store: Any) -> Any:
    if getattr(store, "async_impl", False):  # its requests run side by side
        return nullcontext()
    return _AT_ONCE.setdefault(type(store).__name__, threading.Lock())
