import errno
import os

import pytest

from swapmark.errors import RunError
from swapmark.training.atomic import write_atomically, write_text, writing


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_whole_and_folders_are_made(tmp_path):
    path = tmp_path / "a" / "b" / "file.txt"
    write_text(path, "old")
    write_text(path, "ü new")
    assert path.read_text(encoding="utf-8") == "ü new"
    assert names(path.parent) == ["file.txt"]


@pytest.mark.parametrize(
    "failure",
    [OSError(errno.ENOSPC, "No space left on device"), RuntimeError("PytorchStreamWriter failed")],
)
def test_a_full_disk_leaves_the_old_file_and_says_what_to_do(tmp_path, failure):
    path = tmp_path / "file.txt"
    path.write_text("old")

    def fill_half_of_it(partial):
        partial.write_text("ne")
        raise failure

    with pytest.raises(RunError, match=r"file\.txt could not be written: .*Make room.*--resume"):
        write_atomically(path, fill_half_of_it)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file.txt"]


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
