"""Images inside zip and tar archives, read in place: nothing is ever unpacked to disk.

Only regular files count. Links, devices, absolute names and names with `..` are listed as skipped,
as are encrypted, damaged and over-long members.
"""

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PureWindowsPath

from swapmark.data.items import Item, Others, check_bytes, is_image_name, problem_item
from swapmark.data.pixels import ImageProblem
from swapmark.errors import InputError

MAX_UNPACKED_TAR_BYTES = 4 * 2**30
"""A compressed tar is held in memory unpacked, as it cannot be read at random; up to this size."""
DAMAGED = (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, zlib.error, lzma.LZMAError)


def is_zip(path: Path) -> bool:
    """Whether a file is meant as a zip, by its name or else by its content.

    >>> is_zip(Path("faces.ZIP"))
    True
    """
    return path.suffix.lower() == ".zip" or (path.is_file() and zipfile.is_zipfile(path))


def is_tar(path: Path) -> bool:
    """Whether a file is meant as a tar, compressed or not, by its name or else by its content.

    >>> is_tar(Path("faces.tar.gz")), is_tar(Path("faces.tgz"))
    (True, True)
    """
    endings = (".tar", ".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz")
    return path.name.lower().endswith(endings) or (path.is_file() and tarfile.is_tarfile(path))


def unsafe_name(name: str) -> str | None:
    """Why a member's name must not be trusted, or None.

    >>> unsafe_name("images/a.png"), unsafe_name("../a.png")
    (None, 'its name leads out of the archive (..)')
    """
    path = PureWindowsPath(name)  # splits at both kinds of slash
    if path.drive or path.root:
        return "its name is an absolute path"
    return "its name leads out of the archive (..)" if ".." in path.parts else None


def zip_items(path: Path, others: Others) -> Iterator[Item]:
    """The images of a zip; the names of other files go to `others`.

    Raises InputError if the archive's directory cannot be read.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with zipfile.ZipFile(Path(folder, "a.zip"), "w") as archive:
    ...         archive.writestr("a.png", b"content")
    ...     [item.name for item in zip_items(Path(folder, "a.zip"), Others(list))]
    ['a.png']
    """
    try:
        archive = zipfile.ZipFile(path)
    except (*DAMAGED, ValueError, NotImplementedError) as error:
        raise InputError(
            f"{path} cannot be read as a zip ({error}). It may be incomplete: copy or download it "
            "again."
        ) from error
    lock = threading.Lock()
    for member in archive.infolist():
        name = member.filename
        if member.is_dir() or not is_image_name(name, others):
            continue
        kind = stat.S_IFMT(member.external_attr >> 16)
        problem = unsafe_name(name)
        if kind not in (0, stat.S_IFREG):
            problem = "a link or device, not a regular file"
        elif member.flag_bits & 1:
            problem = "encrypted; unpack the archive with its password first"
        if problem:
            yield problem_item(name, problem)
        else:
            read = partial(_read_zip_member, archive, member, lock)
            yield Item(name, f"{member.CRC:08x} {member.file_size}", read)


def _read_zip_member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, lock: threading.Lock
) -> bytes:
    check_bytes(member.file_size)
    try:
        # One open handle for all threads: opening anew would read the whole directory each time.
        with lock:
            return archive.read(member)
    except (*DAMAGED, ValueError, NotImplementedError, RuntimeError) as error:
        raise ImageProblem(f"damaged in the archive: {error}") from error


def tar_items(path: Path, others: Others) -> Iterator[Item]:
    """The images of a tar in its order; the names of other files go to `others`.

    Raises InputError if nothing in it can be read, or if it is compressed and unpacks to more
    than MAX_UNPACKED_TAR_BYTES.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with tarfile.open(Path(folder, "a.tar"), "w") as archive:
    ...         archive.addfile(tarfile.TarInfo("a.png"))
    ...     [item.name for item in tar_items(Path(folder, "a.tar"), Others(list))]
    ['a.png']
    """
    state = path.stat()
    version = f"{state.st_size} {state.st_mtime_ns}"
    unpacked, damage = _unpack(path)
    found = 0
    with path.open("rb") if unpacked is None else io.BytesIO(unpacked) as file:
        try:
            with tarfile.open(fileobj=file, mode="r:") as archive:
                for member in archive:
                    found += 1
                    if member.isdir() or not is_image_name(member.name, others):
                        continue
                    problem = unsafe_name(member.name)
                    if not member.isreg() or member.issparse():
                        problem = "a link, device or sparse file, not a plain one"
                    if problem:
                        yield problem_item(member.name, problem)
                        continue
                    place = (member.offset_data, member.size)
                    fingerprint = f"{version} {place} {member.mtime}"
                    yield Item(member.name, fingerprint, partial(_read_at, path, unpacked, *place))
                file.seek(archive.offset)
                if file.read(tarfile.BLOCKSIZE).strip(b"\0"):
                    damage = damage or "not a tar header where one should be"
        except DAMAGED as error:
            damage = damage or str(error)
    if damage and not found:
        raise InputError(f"{path} cannot be read as a tar ({damage}). Copy or download it again.")
    if damage:
        yield problem_item(str(path), f"damaged after {found} members ({damage}); the rest is lost")


def _unpack(path: Path) -> tuple[bytes | None, str | None]:
    """A compressed tar's content as far as it can be read, and what stopped it; None if plain."""
    with path.open("rb") as file:
        signature = file.read(6)
    openers = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}
    opener = next((openers[start] for start in openers if signature.startswith(start)), None)
    if opener is None:
        return None, None
    content = io.BytesIO()
    with opener(path, "rb") as stream:
        try:
            # read1: what was unpacked before the damage is handed over, not dropped.
            while chunk := stream.read1(2**20):
                content.write(chunk)
                if content.tell() > MAX_UNPACKED_TAR_BYTES:
                    raise InputError(
                        f"{path} unpacks to more than {MAX_UNPACKED_TAR_BYTES / 2**30:g} GiB, too "
                        "much to hold in memory. Uncompress it to a plain .tar first."
                    )
        except DAMAGED as error:
            return content.getvalue(), str(error)
    return content.getvalue(), None


def _read_at(path: Path, unpacked: bytes | None, offset: int, size: int) -> bytes:
    check_bytes(size)
    if unpacked is not None:
        data = unpacked[offset : offset + size]
    else:
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read(size)
    if len(data) < size:
        raise ImageProblem(f"the archive ends after {len(data)} of its {size} bytes")
    return data
