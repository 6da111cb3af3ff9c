import errno
import os

import pytest

from swapmark.errors import OutputError
from swapmark.files import write_atomically, write_text, writing


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_whole_and_folders_are_made(tmp_path):
    path = tmp_path / "a" / "b" / "file.txt"
    write_text(path, "old")
    write_text(path, "ü new")
    assert path.read_text(encoding="utf-8") == "ü new"
    assert names(path.parent) == ["file.txt"]


def test_a_full_disk_leaves_the_old_file_and_says_what_to_do(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")

    def fill_half_of_it(partial):
        partial.write_text("ne")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OutputError) as caught:
        write_atomically(path, fill_half_of_it)
    assert f"{path} could not be written: No space left on device. " in str(caught.value)
    for advice in ("Make room", f"permissions of {tmp_path}", "--out", "--resume"):
        assert advice in str(caught.value)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file.txt"]


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("precious")
    with pytest.raises(OutputError, match=r"table\.csv could not be written: "):
        write_text(tmp_path / "file" / "table.csv", "new")
    assert (tmp_path / "file").read_text() == "precious"


def test_a_link_stays_one_and_what_it_points_at_is_replaced(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "link.txt"
    link.symlink_to(tmp_path / "elsewhere" / "file.txt")
    for text in ("old", "new"):
        write_text(link, text)
        assert link.is_symlink()
        assert (tmp_path / "elsewhere" / "file.txt").read_text() == text


def test_a_pipe_is_written_and_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_text(pipe, "new")
    assert os.read(reader, 100) == b"new"
    os.close(reader)
    assert pipe.is_fifo()


def test_nothing_is_put_in_place_before_it_is_on_the_disk(tmp_path, monkeypatch):
    path, order = tmp_path / "file.txt", []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (order.append(path.exists()), real(file)))
    write_text(path, "new")
    assert order == [False]


def test_ctrl_c_while_writing_leaves_nothing_half_done(tmp_path):
    def interrupt(partial):
        partial.write_text("ne")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "file.txt", interrupt)
    assert names(tmp_path) == []


def test_a_mistake_of_ours_is_not_taken_for_a_full_disk(tmp_path):
    with pytest.raises(ZeroDivisionError), writing(tmp_path / "file.txt"):
        raise ZeroDivisionError
