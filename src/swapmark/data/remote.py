"""Pictures behind a URL, as `s3://bucket/folder`: on any store that fsspec knows, read in threads.

An archive is fetched into the cache once and read there. The drivers of some stores are packages of
their own, such as s3fs and gcsfs. A store that does not answer makes the item `Unreached`, which no
cache and no part remembers; what it says is not there is a picture that cannot be read.
"""

import hashlib
import os
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from swapmark.data.archives import TAR_ENDINGS
from swapmark.data.items import Entry, Item, as_text, is_image_name, left_out, too_large
from swapmark.data.pixels import ImageProblem, Unreached
from swapmark.errors import InputError, OutputError, one_line
from swapmark.files import cache_folder, write_atomically

_VERSIONS = (
    *("ETag", "etag", "md5Hash", "generation", "mtime", "LastModified", "Last-Modified", "modify"),
    *("last_modified", "blob_id", "sha", "created"),
)
"""What stores call that which changes with a file's content."""
_TRIES, _WAIT_SECONDS = 3, 1.0
"""How often a picture is asked for, and the wait before the second time; then four times that."""
_PIECE = 2**20
_AT_ONCE: dict[str, threading.Lock] = {}
"""A lock for each kind of store whose driver is not made for several threads."""


def remote_entries(url: str) -> Iterator[Entry] | Path:
    """Every file below a URL, the picture there, or the archive's place in the cache.

    Raises InputError where it cannot be listed, or a driver is missing.
    """
    store, path = store_of(url)
    try:
        about = store.info(path)
        files = store.find(path, detail=True) if about["type"] == "directory" else None
    except FileNotFoundError as error:
        told = f"There is nothing at {url} ({_cause(error)}). Check the address."
        raise InputError(told) from error
    except Exception as error:  # of the store's own kinds
        raise InputError(
            f"{url} cannot be listed: {one_line(error)}. Check the address, the connection and "
            f"your credentials, or copy the pictures here."
        ) from error
    if files is not None:
        return _below(store, about["name"].rstrip("/") + "/", files)
    name = PurePosixPath(urlsplit(path).path).name
    if is_image_name(name):
        return iter([_item(store, url, about)])
    if not name.lower().endswith((".zip", *TAR_ENDINGS)):
        raise InputError(
            f"{url} is no picture, zip or tar by its name, and no folder that can be listed. Over "
            f"https no folder can: give a text file (.txt) with the URL of a picture in each line."
        )
    return _fetched(store, url, name, about)


def remote_item(url: str) -> Item:
    """The picture at a URL of a list. It is not looked up, and taken for unchanged until read."""

    def read() -> bytes:
        try:
            return _read(*store_of(url), None)
        except InputError as error:  # no driver, no credentials
            raise Unreached(str(error)) from error

    return Item(as_text(url), url, read, waits=True)


def _read(store: Any, path: str, size: int | None) -> bytes:
    """All bytes of a file, whose size may be known; raises ImageProblem, Unreached for a while."""
    if size is not None and (problem := too_large(size)):
        raise ImageProblem(problem)
    for attempt in range(_TRIES):
        try:
            with _alone(store):
                return store.cat_file(path) if size is not None else _stream(store, path)
        except ImageProblem:
            raise
        except (FileNotFoundError, PermissionError) as error:
            raise ImageProblem(f"cannot be fetched: {_cause(error)}") from error
        except Exception as error:  # of the store's own kinds
            if attempt == _TRIES - 1:
                raise Unreached(f"{path} cannot be fetched: {one_line(error)}.") from error
            time.sleep(_WAIT_SECONDS * 4**attempt)
    raise AssertionError


def _cause(error: Exception) -> str:
    """What happened: some drivers make "not found" of every error."""
    deeper = error.__cause__
    return one_line(deeper if isinstance(deeper, Exception) else error)


def _stream(store: Any, path: str) -> bytes:
    """All bytes of a file of unknown size, up to the limit of a file."""
    data = bytearray()
    with store.open(path, "rb") as file:
        while piece := file.read(_PIECE):
            data += piece
            if problem := too_large(len(data)):
                raise ImageProblem(problem)
    return bytes(data)


def _below(store: Any, root: str, files: dict[str, dict]) -> Iterator[Entry]:
    for path, about in files.items():
        name = as_text(path.removeprefix(root))
        if is_image_name(name):
            yield _item(store, name, about)
        else:
            yield left_out(name)


def _item(store: Any, name: str, about: dict) -> Item:
    size = about.get("size")
    mark = f"{protocols(store)[0]}://{about['name']} {size} {_version(about)}"
    content = "" if size is None else str(size)
    return Item(name, as_text(mark), partial(_read, store, about["name"], size), content, True)


def _version(about: dict) -> str:
    """What changes with the content; where a store tells nothing of it, another each time."""
    return next((str(about[key]) for key in _VERSIONS if key in about), str(time.time_ns()))


def _fetched(store: Any, url: str, name: str, about: dict) -> Path:
    """Where the archive at a URL lies in the cache; fetched if it is not there, or has changed."""
    mark = f"{url} {about.get('size')} {_version(about)}".encode()
    digest = hashlib.blake2b(mark, digest_size=16).hexdigest()
    place = cache_folder() / "fetched" / digest / name
    if place.exists():
        os.utime(place)  # the cache removes what is not used
        return place
    try:
        write_atomically(place, lambda partial: store.get_file(about["name"], str(partial)))
    except (InputError, OutputError):
        raise
    except Exception as error:
        raise InputError(f"{url} cannot be fetched: {one_line(error)}.") from error
    return place


def protocols(store: Any) -> tuple[str, ...]:
    """What the URLs of a file system of fsspec may begin with, the usual one first."""
    return (store.protocol,) if isinstance(store.protocol, str) else tuple(store.protocol)


def store_of(url: str) -> tuple[Any, str]:
    """The file system of fsspec, and the path in it; raises InputError where there is none."""
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
