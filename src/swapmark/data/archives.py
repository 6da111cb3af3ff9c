"""Images inside zip and tar archives, read in place: nothing is ever unpacked into a folder.

Only regular files count. Links, devices, absolute names and names with `..` are listed as skipped,
as are encrypted, damaged, over-long and overlapping members. What a header claims is the bound of
what is read: no member unpacks to more, and no chain of headers goes on for ever.
"""

import bz2
import gzip
import lzma
import re
import stat
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path, PureWindowsPath
from tempfile import SpooledTemporaryFile
from typing import Any

from swapmark.data.items import (
    Entry,
    Item,
    as_text,
    is_image_name,
    left_out,
    problem_item,
    too_large,
)
from swapmark.data.pixels import ImageProblem
from swapmark.errors import InputError, one_line

MAX_UNPACKED_TAR_BYTES = 8 * 2**30
"""A compressed tar is unpacked up to here."""
MAX_HELD_BYTES = 256 * 2**20
"""Of its images, which cannot be read in place, so many are held in memory and more on disk."""
MAX_TAR_HEADER_BYTES = 2**20
"""All headers of one member: long names, places of sparse data and what else tarfile reads."""
TAR_ENDINGS = (".tar", ".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz")
_UNPACKED: dict[bytes, Callable[[Any], Any]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ": lzma.LZMAFile,
    b"]\0\0\x80": lzma.LZMAFile,
}
"""The first bytes of what a tar may be compressed by."""
_LONG_NUMBER = re.compile(rb"\d{300}")
"""No name on a disk has more digits; before Python 3.11.10 such headers took tarfile hours."""


def archive_entries(path: Path) -> Iterable[Entry] | None:
    """What is in a zip (sorted by name) or tar (in its order); None if the file is neither.

    Its name tells what a file is meant as, or else its content.
    Raises InputError if the archive cannot be read at all, or if it is a compressed tar with more
    than MAX_UNPACKED_TAR_BYTES in it.
    """
    name = path.name.lower()
    if name.endswith(".zip") or (not name.endswith(TAR_ENDINGS) and zipfile.is_zipfile(path)):
        return sorted(_zip_entries(path), key=lambda entry: entry[0])
    return _tar_entries(path) if name.endswith(TAR_ENDINGS) or _is_tar(path) else None


def _entry(
    name: str, problem: str, fingerprint: str, read: Callable[[], bytes], content: str
) -> Entry:
    """A member that is a file, unless `problem` or its name forbids to read it."""
    name = as_text(name)
    if not is_image_name(name):
        return left_out(name)
    path = PureWindowsPath(name)  # splits at both kinds of slash
    if path.drive or path.root:
        problem = "its name is an absolute path"
    elif ".." in path.parts:
        problem = "its name leads out of the archive (..)"
    return problem_item(name, problem) if problem else Item(name, fingerprint, read, content)


def _zip_entries(path: Path) -> Iterator[Entry]:
    try:
        archive = zipfile.ZipFile(path)
    except Exception as error:  # of hostile bytes zipfile and tarfile raise anything
        told = f"{path} cannot be read as a zip ({one_line(error)}). Copy or download it again."
        raise InputError(told) from error
    lock = threading.Lock()
    overlapping = _overlapping(archive)
    for member in archive.infolist():
        problem = too_large(member.file_size)
        if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG):
            problem = "a link or device, not a regular file"
        elif member.flag_bits & 1:
            problem = "encrypted; unpack the archive with its password first"
        elif member.header_offset in overlapping:
            problem = "damaged in the archive: it overlaps another member"
        if not member.is_dir():
            read = partial(_read_image, archive, member, lock)
            content = f"{member.CRC:08x} {member.file_size}"
            yield _entry(member.filename, problem, content, read, content)


def _overlapping(archive: zipfile.ZipFile) -> set[int]:
    """Offsets of members that another begins in: each may unpack the same bytes once more."""
    members = sorted(archive.infolist(), key=lambda member: member.header_offset)
    found = set()
    for member, following in pairwise(members):
        end = member.header_offset + member.compress_size + 30 + len(member.orig_filename)
        if following.header_offset < end:
            found |= {member.header_offset, following.header_offset}
    return found


def _read_image(archive: zipfile.ZipFile, member: zipfile.ZipInfo, lock: threading.Lock) -> bytes:
    try:
        # One open handle for all threads: opening anew would read the whole directory each time.
        with lock:
            return read_member(archive, member)
    except Exception as error:
        raise ImageProblem(f"damaged in the archive: {one_line(error)}") from error


def read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """A member of a zip, which may not unpack to more than it claims; raises what zipfile raises.

    Asked for all, zipfile unpacks all there is before it cuts it off.
    """
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise NotImplementedError("an unusual compression; pack it by deflate, as is usual")
    with archive.open(member) as file:
        content = file.read(member.file_size)
        if len(content) < member.file_size:
            raise EOFError(f"it ends after {len(content)} of its {member.file_size} bytes")
        return content


class _Headers:
    """What tarfile reads the headers of a tar from: ReadError where those of a member are too much.

    tarfile holds them in memory, where a few megabytes may unpack to a gigabyte.
    """

    def __init__(self, file: Any):
        self.left = MAX_TAR_HEADER_BYTES
        self._read, self.seek, self.tell = file.read, file.seek, file.tell

    def read(self, size: int) -> bytes:
        self.left -= size
        if self.left < 0:
            raise tarfile.ReadError(f"headers of more than {MAX_TAR_HEADER_BYTES:,} bytes")
        data = self._read(size)
        if _LONG_NUMBER.search(data):
            raise tarfile.ReadError("a header with a number of hundreds of digits")
        return data


def _unpacked(file: Any) -> Any:
    """The file itself, or what it unpacks to."""
    start = file.read(8)
    file.seek(0)
    return next((of(file) for sign, of in _UNPACKED.items() if start.startswith(sign)), file)


def _is_tar(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            tarfile.TarFile(fileobj=_Headers(_unpacked(file)))  # pyright: ignore[reportArgumentType]
            return True
    except Exception:
        return False


def _tar_entries(path: Path) -> Iterator[Entry]:
    state = path.stat()
    version = f"{state.st_size} {state.st_mtime_ns}"
    found, damage = 0, ""
    held, lock = _Held(MAX_HELD_BYTES), threading.Lock()
    try:
        with path.open("rb") as file:
            content = _unpacked(file)
            headers: Any = _Headers(content)
            archive = tarfile.TarFile(fileobj=headers)
            for member in archive:
                found += 1
                headers.left = MAX_TAR_HEADER_BYTES
                place = (member.offset_data, member.size)
                problem, read = too_large(member.size), partial(_read_at, path, *place)
                if content is not file and sum(place) > MAX_UNPACKED_TAR_BYTES:
                    raise InputError(
                        f"{path} unpacks to more than {MAX_UNPACKED_TAR_BYTES / 2**30:g} GiB. "
                        "Uncompress it to a plain .tar first."
                    )
                if member.isdir():
                    continue
                if not member.isreg() or member.issparse():
                    problem = "a link, device or sparse file, not a plain one"
                elif content is not file and not problem and is_image_name(member.name):
                    content.seek(member.offset_data)
                    start = held.tell()
                    for left in range(member.size, 0, -(2**20)):
                        held.write(content.read(min(left, 2**20)))
                    read = partial(_read_held, held, lock, start, member.size)
                where = f"{version} {place} {member.mtime}"
                yield _entry(member.name, problem, where, read, str(member.size))
            content.seek(archive.offset)
            if content.read(tarfile.BLOCKSIZE).strip(b"\0"):
                damage = "not a tar header where one should be"
    except (InputError, GeneratorExit):
        raise
    except Exception as error:
        damage = one_line(error)
    if damage and not found:
        raise InputError(f"{path} cannot be read as a tar ({damage}). Copy or download it again.")
    if damage:
        yield problem_item(str(path), f"damaged after {found} members ({damage}); the rest is lost")


class _Held(SpooledTemporaryFile):
    """Images of a compressed tar, in memory or on disk as long as one of them may be asked for."""

    def __del__(self):
        self.close()


def _read_held(held: _Held, lock: threading.Lock, start: int, size: int) -> bytes:
    with lock:
        held.seek(start)
        data = held.read(size)
    return _whole(data, size)


def _read_at(path: Path, offset: int, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return _whole(file.read(size), size)


def _whole(data: bytes, size: int) -> bytes:
    if len(data) < size:
        raise ImageProblem(f"the archive ends after {len(data)} of its {size} bytes")
    return data
