"""Images inside zip and tar archives, harmless and hostile."""

import gzip
import io
import tarfile
import tracemalloc
import zipfile

import numpy as np
import pytest

from swapmark.data import archives, items
from swapmark.data.pixels import ImageProblem
from swapmark.data.sources import list_images, list_with_unread
from swapmark.errors import InputError

CONTENT = np.random.default_rng(0).bytes(5120)
NAMES = ("b.png", "ä a/a.png", "notes.txt", "__MACOSX/._b.png", "c.HEIC", "__MACOSX/c.heic")


def make_tar(path, mode="w", names=NAMES):
    with tarfile.open(path, mode) as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len(CONTENT)
            archive.addfile(member, io.BytesIO(CONTENT))
    return path


def make_zip(path, names=NAMES):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("empty/", b"")
        for name in names:
            archive.writestr(name, CONTENT)
    return path


def problem_of(item) -> str:
    with pytest.raises(ImageProblem) as caught:
        item.read()
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        *(("a.zip", None), ("a.tar", "w"), ("download", "w")),
        *(("a.tar.gz", "w:gz"), ("a.tar.bz2", "w:bz2"), ("a.txz", "w:xz")),
    ],
)
def test_archives_are_read_in_place_and_name_pictures_that_are_not_read(tmp_path, name, mode):
    path = make_tar(tmp_path / name, mode) if mode else make_zip(tmp_path / name)
    found, unread = list_with_unread(path)
    assert [item.name for item in found] == ["b.png", "ä a/a.png"]
    assert found[1].read() == found[0].read() == CONTENT
    assert [entry.file for entry in unread] == ["c.HEIC"]
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(("name", "mode"), [("a.tar", "w"), ("a.tar.gz", "w:gz")])
def test_members_of_a_tar_have_fingerprints_of_their_own_and_keep_their_order(tmp_path, name, mode):
    found = list_images(make_tar(tmp_path / name, mode, ["z.png", "a.png"]))
    assert [item.name for item in found] == ["z.png", "a.png"]
    assert len({item.fingerprint for item in found}) == 2


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_links_and_names_outside_are_listed_but_never_read(tmp_path, mode):
    secret = tmp_path / "secret.png"
    secret.write_bytes(CONTENT)
    with tarfile.open(tmp_path / "a.tar", mode) as archive:
        for name, kind in (
            ("link.png", tarfile.SYMTYPE),
            ("hard.png", tarfile.LNKTYPE),
            ("device.png", tarfile.CHRTYPE),
            ("../outside.png", tarfile.REGTYPE),
            (str(secret), tarfile.REGTYPE),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, str(secret)
            archive.addfile(member)
    found = list_images(tmp_path / "a.tar")
    assert len(found) == 5
    for item, reason in zip(found, ["link", "link", "device", "..", "absolute"], strict=True):
        assert reason in problem_of(item)


def test_zip_links_outside_names_and_encryption_are_problems(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        link = zipfile.ZipInfo("a link.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("../up.png", CONTENT)
        archive.writestr("C:\\windows.png", CONTENT)
        archive.writestr("zz secret.png", CONTENT)
    data = (tmp_path / "a.zip").read_bytes()
    directory = data.rindex(b"PK\x01\x02")  # the entry of the last member; its flags follow
    data = data[: directory + 8] + b"\x01" + data[directory + 9 :]
    (tmp_path / "a.zip").write_bytes(data)
    found = list_images(tmp_path / "a.zip")
    for item, reason in zip(found, ["..", "absolute", "link", "encrypted"], strict=True):
        assert reason in problem_of(item)


def test_damaged_zip_member_is_a_problem_and_others_are_read(tmp_path):
    path = make_zip(tmp_path / "a.zip", ["a.png", "b.png"])
    data = bytearray(path.read_bytes())
    data[200] ^= 0xFF
    path.write_bytes(data)
    first, second = list_images(path)
    assert "CRC-32" in problem_of(first)
    assert second.read() == CONTENT


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz"])
def test_archives_that_are_none_are_refused(tmp_path, name):
    for content in (b"<html>not found</html>" * 50, b""):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=name):
            list_images(tmp_path / name)


@pytest.mark.parametrize(("ending", "mode", "percent"), [("tar", "w", 60), ("tar.gz", "w:gz", 95)])
def test_truncated_tar_keeps_what_came_and_says_so(tmp_path, ending, mode, percent):
    names = [f"{index}.png" for index in range(40)]
    path = make_tar(tmp_path / f"a.{ending}", mode, names)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * percent // 100])
    found = list_images(path)
    assert 2 < len(found) < 41
    assert found[0].read() == CONTENT
    assert found[-1].name == str(path)
    assert "damaged after" in problem_of(found[-1])


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_tar_with_a_broken_header_in_the_middle_says_so(tmp_path, mode):
    path = make_tar(tmp_path / "a.tar", names=["a.png", "b.png", "c.png"])
    data = bytearray(path.read_bytes())
    second_header = 512 + len(CONTENT)
    data[second_header : second_header + 100] = b"\xaa" * 100
    if mode == "w:gz":
        data = gzip.compress(bytes(data))
    path.write_bytes(data)
    found = list_images(path)
    assert [item.name for item in found] == ["a.png", str(path)]


def test_overlong_members_are_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(items, "MAX_FILE_BYTES", 100)
    paths = make_zip(tmp_path / "a.zip"), make_tar(tmp_path / "a.tar")
    for path in (*paths, make_tar(tmp_path / "a.tar.gz", "w:gz")):
        assert "over the limit" in problem_of(list_images(path)[0])


def test_compressed_tar_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_UNPACKED_TAR_BYTES", 2**20)
    path = make_tar(tmp_path / "a.tar.gz", "w:gz", [f"{index}.png" for index in range(400)])
    assert path.stat().st_size < 2**20
    with pytest.raises(InputError, match="unpacks to more than"):
        list_images(path)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_that_unpacks_to_too_much_is_not_read(tmp_path, kind):
    header = tarfile.TarInfo("x")
    header.type, header.size = kind, archives.MAX_TAR_HEADER_BYTES + 1
    image = tarfile.TarInfo("a.png").tobuf(tarfile.USTAR_FORMAT)
    content = image + header.tobuf(tarfile.USTAR_FORMAT) + bytes(2 * header.size) + image
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(content))
    first, rest = list_images(path)
    assert first.name == "a.png"
    assert "headers of more than" in problem_of(rest)


def test_headers_that_never_end_or_hold_absurd_numbers_are_damage(tmp_path):
    image = tarfile.TarInfo("a.png").tobuf(tarfile.USTAR_FORMAT)
    sparse = bytearray(tarfile.TarInfo("s.png").tobuf(tarfile.GNU_FORMAT))
    sparse[156:157], sparse[482:483] = b"S", b"\1"  # the list of its places goes on
    sparse[148:156] = b" " * 8
    sparse[148:156] = b"%06o\0 " % sum(sparse)
    going_on = (bytes(504) + b"\1" + bytes(7)) * 3000
    path = tmp_path / "a.tar.gz"
    for headers, reason in (
        (bytes(sparse) + going_on, "headers of more than"),
        (pax({"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}), "damaged after 1"),
        (pax({"GNU.sparse.map": "a"}), "damaged after 1"),
        (pax({"comment": "9" * 300}), "hundreds of digits"),
    ):
        path.write_bytes(gzip.compress(image + headers + bytes(1024)))
        first, rest = list_images(path)
        assert first.name == "a.png"
        assert reason in problem_of(rest)


def pax(about: dict[str, str]) -> bytes:
    member = tarfile.TarInfo("s.png")
    member.pax_headers = about
    return member.tobuf(tarfile.PAX_FORMAT)


def test_images_of_a_compressed_tar_are_held_on_disk_where_they_are_many(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_HELD_BYTES", 100)
    found = list_images(make_tar(tmp_path / "a.tar.gz", "w:gz", ["a.png", "b.png"]))
    assert found[1].read() == found[0].read() == CONTENT


def test_names_of_a_tar_that_are_no_valid_text_or_very_long_are_read(tmp_path):
    names = ["fly\udcff.png", "d/" * 400 + "x.png"]
    found = list_images(make_tar(tmp_path / "a.tar", names=names))
    assert [item.name for item in found] == [r"fly\udcff.png", names[1]]
    assert found[0].read() == CONTENT


def test_a_member_of_a_zip_unpacks_to_no_more_than_it_claims(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(50_000_000))
        archive.writestr("b.png", CONTENT)
        archive.writestr("c.png", CONTENT, zipfile.ZIP_BZIP2)
        archive.infolist()[0].file_size = 1000
        archive.infolist()[1].file_size = 400_000_000
    found = list_images(tmp_path / "a.zip")
    tracemalloc.start()
    reasons = [problem_of(item) for item in found]
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()
    for reason, said in zip(reasons, ["CRC", "ends after", "unusual compression"], strict=True):
        assert said in reason


def test_overlapping_members_of_a_zip_are_not_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("a.png", "b.png", "c.png"):
            archive.writestr(name, CONTENT)
        archive.infolist()[1].header_offset = 10
    found = list_images(tmp_path / "a.zip")
    assert ["overlaps" in problem_of(item) for item in found[:2]] == [True, True]
    assert found[2].read() == CONTENT
