import errno
import os

import pytest
import torch

from swapmark.errors import OutputError, RunError
from swapmark.training.checkpoint import load_checkpoint, save_checkpoint
from swapmark.training.run import checkpoint_paths


class Exploit:
    """Unpickled, this makes the folder `hacked`."""

    def __reduce__(self):
        return os.mkdir, ("hacked",)


def test_the_newest_two_checkpoints_are_kept_whatever_the_number_of_digits(tmp_path, names):
    for step in (5, 10, 9_999_999, 10_000_000):
        save_checkpoint(tmp_path, {"step": step}, step)
    assert names(tmp_path) == ["step-10000000.pt", "step-9999999.pt"]
    assert load_checkpoint(tmp_path) == ({"step": 10_000_000}, tmp_path / "step-10000000.pt")


def test_other_files_among_the_checkpoints_are_left_alone(tmp_path, names):
    (tmp_path / "step-best.pt").write_text("mine")
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / ".step-0000001.pt.77.part").write_text("left by a process that was killed")
    for step in (1, 2, 3):
        save_checkpoint(tmp_path, {"step": step}, step)
    assert names(tmp_path) == ["notes.txt", "step-0000002.pt", "step-0000003.pt", "step-best.pt"]


def test_without_checkpoints_there_is_none_to_load(tmp_path):
    assert load_checkpoint(tmp_path / "absent") is None
    assert checkpoint_paths(tmp_path) == []


def test_a_truncated_checkpoint_falls_back_to_the_one_before(tmp_path):
    save_checkpoint(tmp_path, {"step": 1, "x": torch.arange(1000)}, 1)
    newest = save_checkpoint(tmp_path, {"step": 2, "x": torch.arange(1000)}, 2)
    newest.write_bytes(newest.read_bytes()[:-500])
    found = load_checkpoint(tmp_path)
    assert found is not None
    assert (found[0]["step"], found[1].name) == (1, "step-0000001.pt")


def test_when_no_checkpoint_can_be_read_it_says_so(tmp_path):
    for step in (1, 2):
        save_checkpoint(tmp_path, {"step": step}, step).write_bytes(b"damaged")
    with pytest.raises(RunError, match="2 checkpoints"):
        load_checkpoint(tmp_path)


def test_a_checkpoint_that_hides_a_program_does_not_run_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"step": Exploit()}, tmp_path / "step-0000002.pt")
    with pytest.raises(RunError):
        load_checkpoint(tmp_path)
    save_checkpoint(tmp_path, {"step": 1}, 1)
    assert load_checkpoint(tmp_path) == ({"step": 1}, tmp_path / "step-0000001.pt")
    assert not (tmp_path / "hacked").exists()
    torch.load(tmp_path / "step-0000002.pt", weights_only=False)
    assert (tmp_path / "hacked").exists(), "the file would have done it"


@pytest.mark.parametrize(
    ("target", "failure"),
    [
        ("torch.save", RuntimeError("PytorchStreamWriter failed: No space left on device")),
        ("os.fsync", OSError(errno.ENOSPC, "No space left on device")),
    ],
)
def test_a_full_disk_keeps_the_checkpoint_before(tmp_path, names, monkeypatch, target, failure):
    def full(*_):
        raise failure

    save_checkpoint(tmp_path, {"step": 1}, 1)
    monkeypatch.setattr(target, full)
    with pytest.raises(OutputError, match="No space left on device"):
        save_checkpoint(tmp_path, {"step": 2}, 2)
    monkeypatch.undo()
    assert names(tmp_path) == ["step-0000001.pt"]
    assert load_checkpoint(tmp_path) == ({"step": 1}, tmp_path / "step-0000001.pt")
