"""Images inside zip and tar archives, harmless and hostile."""

import io
import tarfile
import zipfile

import numpy as np
import pytest

from swapmark.data import archives, items
from swapmark.data.pixels import ImageProblem
from swapmark.data.sources import list_images, list_with_unread
from swapmark.errors import InputError

CONTENT = np.random.default_rng(0).bytes(5120)


def make_tar(path, mode="w", names=("b.png", "ä a/a.png", "notes.txt")):
    with tarfile.open(path, mode) as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len(CONTENT)
            archive.addfile(member, io.BytesIO(CONTENT))
    return path


def test_zip_is_read_sorted_and_without_unpacking(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("b.png", "ä a/a.png", "__MACOSX/._b.png", "notes.txt", "empty/"):
            archive.writestr(name, CONTENT if not name.endswith("/") else b"")
    found = list_images(tmp_path / "a.zip")
    assert [item.name for item in found] == ["b.png", "ä a/a.png"]
    assert found[0].read() == CONTENT
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.zip"]


@pytest.mark.parametrize(
    ("ending", "mode"), [("tar", "w"), ("tar.gz", "w:gz"), ("tar.bz2", "w:bz2"), ("txz", "w:xz")]
)
def test_tar_is_read_in_its_order(tmp_path, ending, mode):
    found = list_images(make_tar(tmp_path / f"a.{ending}", mode))
    assert [item.name for item in found] == ["b.png", "ä a/a.png"]
    assert found[1].read() == found[0].read() == CONTENT
    assert len({item.fingerprint for item in found}) == 2


def test_pictures_of_kinds_that_are_not_read_are_named(tmp_path):
    names = ["a.png", "a/b.HEIC", "notes.txt", "__MACOSX/c.heic"]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in names:
            archive.writestr(name, CONTENT)
    for path in (tmp_path / "a.zip", make_tar(tmp_path / "a.tar.gz", "w:gz", names)):
        items, unread = list_with_unread(path)
        assert [item.name for item in items] == ["a.png"]
        assert [entry.file for entry in unread] == ["a/b.HEIC"]


def test_archive_without_ending_is_recognised(tmp_path):
    make_tar(tmp_path / "download")
    assert len(list_images(tmp_path / "download")) == 2


def test_links_and_names_outside_are_listed_but_never_read(tmp_path):
    secret = tmp_path / "secret.png"
    secret.write_bytes(CONTENT)
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
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
    for item, reason in zip(found, ["link", "link", "device", r"\.\.", "absolute"], strict=True):
        with pytest.raises(ImageProblem, match=reason):
            item.read()


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
    for item, reason in zip(found, [r"\.\.", "absolute", "a link", "encrypted"], strict=True):
        with pytest.raises(ImageProblem, match=reason):
            item.read()


def test_damaged_zip_member_is_a_problem_and_others_are_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.png", CONTENT)
        archive.writestr("b.png", CONTENT)
    data = bytearray((tmp_path / "a.zip").read_bytes())
    data[200] ^= 0xFF
    (tmp_path / "a.zip").write_bytes(data)
    first, second = list_images(tmp_path / "a.zip")
    with pytest.raises(ImageProblem, match="damaged in the archive: Bad CRC-32"):
        first.read()
    assert second.read() == CONTENT


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz"])
def test_archives_that_are_none_are_refused(tmp_path, name):
    for content in (b"<html>not found</html>" * 50, b""):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=r"a\.\S+ cannot be read as a|No images in"):
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
    with pytest.raises(ImageProblem, match=r"damaged after \d+ members"):
        found[-1].read()


def test_tar_with_a_broken_header_in_the_middle_says_so(tmp_path):
    path = make_tar(tmp_path / "a.tar", names=["a.png", "b.png", "c.png"])
    data = bytearray(path.read_bytes())
    second_header = 512 + len(CONTENT)
    data[second_header : second_header + 100] = b"\xaa" * 100
    path.write_bytes(data)
    found = list_images(path)
    assert [item.name for item in found] == ["a.png", str(path)]


def test_overlong_members_are_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(items, "MAX_FILE_BYTES", 100)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.png", CONTENT)
    for path in (tmp_path / "a.zip", make_tar(tmp_path / "a.tar")):
        with pytest.raises(ImageProblem, match="over the limit"):
            list_images(path)[0].read()


def test_compressed_tar_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_UNPACKED_TAR_BYTES", 2**20)
    path = make_tar(tmp_path / "a.tar.gz", "w:gz", [f"{index}.png" for index in range(400)])
    assert path.stat().st_size < 2**20
    with pytest.raises(InputError, match=r"unpacks to more than .* Uncompress it"):
        list_images(path)
