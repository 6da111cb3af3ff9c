import os
import pty
import re
import shlex
import subprocess
import sys
from contextlib import suppress

import pytest
import yaml

from swapmark.cli import main
from swapmark.training.config import read_config
from swapmark.training.run import Run


@pytest.fixture
def config(tiny_settings, tmp_path) -> str:
    """The settings of a tiny run of the baseline as a file."""
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump({**tiny_settings, "method": "imm"}))
    return str(path)


@pytest.fixture(autouse=True)
def quick_end(request, monkeypatch):
    """No report but for the test of it: that takes seconds each time."""
    if "report" not in request.function.__name__:
        monkeypatch.setattr("swapmark.cli._reported", lambda *given, **options: "")


@pytest.fixture
def command(tiny_faces, config, tmp_path):
    """The words of `swapmark train` for a run of two steps."""

    def words(*more: str, images=tiny_faces) -> list[str]:
        out = ["--out", str(tmp_path / "run"), "--config", config]
        return ["train", str(images), *out, "--set", "training.steps=2", *more]

    return words


def test_the_command_trains_and_says_what_comes_next(command, tmp_path, capsys):
    words = ["--set=model.resize=crop", "--landmarks", "3", "--seed", "5", "--quiet"]
    words += ["--device", "cpu"]
    assert main([*command(), *words]) == 0
    run = Run(tmp_path / "run")
    config = read_config(run.config)
    assert (config.model.landmarks, config.training.seed, config.method) == (3, 5, "imm")
    assert (config.model.resize, config.training.steps) == ("crop", 2)
    out, err = capsys.readouterr()
    assert f"swapmark predict {run.path} IMAGES --out points.csv" in out
    assert err == ""


def test_it_ends_with_the_report_and_its_verdict(command, tmp_path, capsys):
    assert main([*command(), "--quiet"]) == 0
    out = capsys.readouterr().out
    assert "Look at this: the landmarks hardly follow" in out
    assert str(tmp_path / "run" / "report.html") in out
    assert "Each landmark" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


def test_without_quiet_it_tells_how_far_it_is(command, capsys):
    assert main([*command(), "--steps", "5"]) == 0
    told = capsys.readouterr().err
    assert "from step 0 to 5." in told
    assert re.search(r"step 5/5 · loss \d.* · \d+ img/s · 0 s left", told)


def test_what_goes_wrong_is_told_without_a_traceback(command, tmp_path, capsys):
    assert main(command("--set", "training.stepz=3")) == 2
    assert "training.steps" in capsys.readouterr().err
    assert main(command("--device", "tpu")) == 2
    assert "tpu" in capsys.readouterr().err
    assert main(command(images="absent-photos")) == 2
    assert "absent-photos" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    assert main([*command(), "--quiet"]) == 0
    assert main([*command(), "--quiet"]) == 2
    assert "--resume" in capsys.readouterr().err
    assert main([*command("--overwrite", "--steps", "1"), "--quiet"]) == 0
    assert [line["step"] for line in Run(tmp_path / "run").metrics()] == [1]


def test_ctrl_c_before_there_is_a_run_promises_no_resume(command, capsys, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("swapmark.training.train.load_images", interrupt)
    assert main([*command(), "--quiet"]) == 130
    assert capsys.readouterr().err == "swapmark: stopped.\n"


@pytest.fixture
def terminal(tiny_faces, config, tmp_path):
    """A long run on a terminal, our end of that, and what was written until the first loss."""
    words = ["--config", config, "--set", "training.steps=100000"]
    ours, theirs = pty.openpty()
    # setsid makes the terminal the controlling one, whose Ctrl-C is a signal.
    code = "import os, sys; os.setsid(); os.close(os.open(os.ttyname(2), os.O_RDWR)); "
    # Where the tests are started by nohup, they ignore SIGHUP, and what they start does.
    code += "import signal; signal.signal(signal.SIGHUP, signal.SIG_DFL); "
    code += "from swapmark.cli import main; sys.exit(main())"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "train", tiny_faces, "--out", tmp_path / "my run", *words],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "200"},
    )
    os.close(theirs)
    written = b""
    while b"loss " not in written:
        written += os.read(ours, 65536)
    yield process, ours, written
    process.kill()


def test_ctrl_c_on_a_terminal_saves_and_prints_the_command_that_goes_on(
    terminal, tiny_faces, tmp_path
):
    run, (process, ours, written) = Run(tmp_path / "my run"), terminal
    os.write(ours, b"\x03")
    while b"saving" not in written:
        written += os.read(ours, 65536)
    os.write(ours, b"\x03")  # not at once: a terminal throws away what is unread at a Ctrl-C
    with suppress(OSError):  # the other end is closed
        while chunk := os.read(ours, 65536):
            written += chunk
    os.close(ours)
    process.communicate(timeout=120)
    assert process.returncode == 130
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.decode())
    assert re.search(r"\d+/100000 \d+ img/s · .+ left loss \d", text)
    assert "Traceback" not in text
    assert (text.count("saving"), text.count("stopped")) == (1, 1)
    (line,) = re.findall(r"^ +(swapmark train .*?)\r?$", text, re.MULTILINE)
    again = shlex.split(line)
    assert again == ["swapmark", "train", str(tiny_faces), "--out", str(run.path), "--resume"]
    (checkpoint,) = run.checkpoints.iterdir()
    steps = int(checkpoint.stem[5:]) + 1
    run.config.write_text(run.config.read_text().replace("steps: 100000\n", f"steps: {steps}\n"))
    assert main([*again[1:], "--quiet"]) == 0
    assert run.metrics()[-1]["step"] == steps


def test_a_terminal_that_is_closed_saves_the_run(terminal, tmp_path):
    process, ours, _ = terminal
    os.close(ours)
    process.communicate(timeout=120)
    assert len(list(Run(tmp_path / "my run").checkpoints.glob("step-*.pt"))) == 1


def test_under_torchrun_one_process_speaks_for_all(command, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("swapmark.training.train.train", lambda *_, **__: Run(tmp_path / "run"))
    monkeypatch.setenv("RANK", "1")
    assert main(command()) == 0
    assert capsys.readouterr() == ("", "")
