import errno
import json
import math
import os

import pytest

from swapmark.errors import OutputError
from swapmark.files import read_json_lines, read_regular, write_atomically, write_text


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_whole_and_folders_are_made(tmp_path):
    path = tmp_path / "a" / "b" / "file.txt"
    for text in ("old", "ü new"):
        write_text(path, text)
    assert path.read_text(encoding="utf-8") == "ü new"
    assert names(path.parent) == ["file.txt"]


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), OutputError),
        (KeyboardInterrupt("file.txt"), KeyboardInterrupt),
        (ValueError("file.txt"), ValueError),  # a mistake of ours is not taken for a full disk
    ],
)
def test_what_stops_a_write_leaves_the_old_file_alone(tmp_path, raised, told):
    path = tmp_path / "file.txt"
    path.write_text("old")

    def fill_half_of_it(partial):
        partial.write_text("ne")
        raise raised

    with pytest.raises(told, match=r"file\.txt"):
        write_atomically(path, fill_half_of_it)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file.txt"]


def test_old_halves_of_the_same_file_are_swept(tmp_path):
    old, new, other = (
        f".{name}.part"
        for name in ("a[1].csv." + "0" * 12, "a[1].csv." + "1" * 12, "a1.csv." + "0" * 12)
    )
    for name in (old, new, other):
        (tmp_path / name).touch()
    for name in (old, other):
        os.utime(tmp_path / name, (0, 0))
    write_text(tmp_path / "a[1].csv", "new")
    assert names(tmp_path) == sorted([new, other, "a[1].csv"])


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("precious")
    with pytest.raises(OutputError, match=r"table\.csv"):
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


def test_a_json_line_that_was_cut_short_is_left_out(tmp_path):
    path = tmp_path / "a.jsonl"
    assert read_json_lines(path) == []
    path.write_text(json.dumps({"step": 1}) + '\n{"step": 2, "lo')
    assert read_json_lines(path) == [{"step": 1}]


def test_damaged_json_lines_are_left_out(tmp_path):
    path = tmp_path / "a.jsonl"
    deep, long = b"[" * 100_000, b'{"step": ' + b"9" * 5000 + b"}"
    path.write_bytes(b"\n".join([b"\xff\0", deep, b"5", b'{"step": 1}', b"", long]))
    assert read_json_lines(path) == [{"step": 1}, {"step": math.inf}]


def test_pipes_and_devices_are_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for read in (read_regular, read_json_lines):
        with pytest.raises(OSError, match="pipe or device"):
            read(tmp_path / "pipe")
