"""Images inside zip and tar archives, read in place: nothing is ever unpacked to disk.

Only regular files count. Links, devices, absolute names and names with `..` are listed as skipped,
as are encrypted, damaged and over-long members.
"""

import lzma
import stat
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path, PureWindowsPath
from typing import Any

from swapmark.data.items import Entry, Item, is_image_name, left_out, problem_item, too_large
from swapmark.data.pixels import ImageProblem
from swapmark.errors import InputError

MAX_UNPACKED_TAR_BYTES = 4 * 2**30
"""The images of a compressed tar are held in memory, as it cannot be read at random; up to this."""
MAX_TAR_HEADER_BYTES = 2**20
"""Long names and other extra headers of a tar, which tarfile reads whole, up to this size each."""
TAR_ENDINGS = (".tar", ".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz")
_HEADERS = (
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
)
DAMAGED = (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, zlib.error, lzma.LZMAError)


def archive_entries(path: Path) -> Iterable[Entry] | None:
    """What is in a zip (sorted by name) or tar (in its order); None if the file is neither.

    Its name tells what a file is meant as, or else its content.
    Raises InputError if the archive cannot be read at all, or if it is a compressed tar with more
    than MAX_UNPACKED_TAR_BYTES of images.
    """
    name = path.name.lower()
    if name.endswith(".zip") or (not name.endswith(TAR_ENDINGS) and zipfile.is_zipfile(path)):
        return sorted(_zip_entries(path), key=lambda entry: entry[0])
    return _tar_entries(path) if name.endswith(TAR_ENDINGS) or tarfile.is_tarfile(path) else None


def _entry(name: str, problem: str, fingerprint: str, read: Callable[[], bytes]) -> Entry:
    """A member that is a file, unless `problem` or its name forbids to read it."""
    if not is_image_name(name):
        return left_out(name)
    path = PureWindowsPath(name)  # splits at both kinds of slash
    if path.drive or path.root:
        problem = "its name is an absolute path"
    elif ".." in path.parts:
        problem = "its name leads out of the archive (..)"
    return problem_item(name, problem) if problem else Item(name, fingerprint, read)


def _zip_entries(path: Path) -> Iterator[Entry]:
    try:
        archive = zipfile.ZipFile(path)
    except (*DAMAGED, ValueError, NotImplementedError) as error:
        raise InputError(
            f"{path} cannot be read as a zip ({error}). Copy or download it again."
        ) from error
    lock = threading.Lock()
    for member in archive.infolist():
        problem = too_large(member.file_size)
        if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG):
            problem = "a link or device, not a regular file"
        elif member.flag_bits & 1:
            problem = "encrypted; unpack the archive with its password first"
        if not member.is_dir():
            read = partial(_read_zip_member, archive, member, lock)
            yield _entry(member.filename, problem, f"{member.CRC:08x} {member.file_size}", read)


def _read_zip_member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, lock: threading.Lock
) -> bytes:
    try:
        # One open handle for all threads: opening anew would read the whole directory each time.
        with lock:
            return archive.read(member)
    except (*DAMAGED, ValueError, NotImplementedError, RuntimeError) as error:
        raise ImageProblem(f"damaged in the archive: {error}") from error


class _Member(tarfile.TarInfo):
    """A header of a tar; ReadError if a further header of more than a few names follows it.

    tarfile reads such headers into memory, where a few megabytes may unpack to a gigabyte.
    """

    @classmethod
    def frombuf(cls, buf, encoding, errors):
        member = super().frombuf(buf, encoding, errors)
        if member.type in _HEADERS and member.size > MAX_TAR_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {member.size} bytes")
        return member


def _tar_entries(path: Path) -> Iterator[Entry]:
    state = path.stat()
    version = f"{state.st_size} {state.st_mtime_ns}"
    found, held, damage = 0, 0, ""
    try:
        with path.open("rb") as file, tarfile.open(fileobj=file, tarinfo=_Member) as archive:
            content: Any = archive.fileobj  # the file, or what it unpacks to
            for member in archive:
                found += 1
                if member.isdir():
                    continue
                place = (member.offset_data, member.size)
                problem, read = too_large(member.size), partial(_read_at, path, *place)
                if not member.isreg() or member.issparse():
                    problem = "a link, device or sparse file, not a plain one"
                elif content is not file and not problem and is_image_name(member.name):
                    held += member.size
                    if held > MAX_UNPACKED_TAR_BYTES:
                        raise InputError(
                            f"{path} holds more than {MAX_UNPACKED_TAR_BYTES / 2**30:g} GiB of "
                            "images, too much for memory. Uncompress it to a plain .tar first."
                        )
                    content.seek(member.offset_data)
                    read = partial(bytes, content.read(member.size))
                yield _entry(member.name, problem, f"{version} {place} {member.mtime}", read)
            content.seek(archive.offset)
            if content.read(tarfile.BLOCKSIZE).strip(b"\0"):
                damage = "not a tar header where one should be"
    except DAMAGED as error:
        damage = str(error) or type(error).__name__
    if damage and not found:
        raise InputError(f"{path} cannot be read as a tar ({damage}). Copy or download it again.")
    if damage:
        yield problem_item(str(path), f"damaged after {found} members ({damage}); the rest is lost")


def _read_at(path: Path, offset: int, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read(size)
    if len(data) < size:
        raise ImageProblem(f"the archive ends after {len(data)} of its {size} bytes")
    return data
