import os
import pty
import re
import struct
import subprocess
import sys
import termios
from fcntl import ioctl

import pytest

from swapmark.objectives.c3 import C3Config
from swapmark.training.config import Config, TrainingConfig
from swapmark.training.progress import Progress, _duration, effort

WARNING = "the landmarks [all 10] hardly follow the picture: they are collapsing. " + "Try … " * 20


REPORT = """
from swapmark.training.config import Config, TrainingConfig
from swapmark.training.progress import Progress

config = Config(training=TrainingConfig(steps=60_000, batch_size=64))
with Progress(config, 12_340, show=show) as progress:
    for _ in range(3):
        progress.advance()
    progress.log({"step": 12_343, "loss": 12.3456, "spread": 0.12345})
    progress.warn("collapse", warning)
    progress.warn("collapse", warning)
    progress.advance()
"""


def report(*, show: bool = True) -> None:
    exec(REPORT, {"show": show, "warning": WARNING})


def on_a_terminal(columns: int) -> str:
    """What the same writes to a terminal of so many columns, without the control sequences."""
    code = f"show=True; warning={WARNING!r}{REPORT}"
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    child = subprocess.Popen(
        [sys.executable, "-c", code], stderr=theirs, env=os.environ | {"TERM": "xterm"}
    )
    os.close(theirs)
    written = b""
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # Linux's way to say that the other end is closed
            break
        if not chunk:
            break
        written += chunk
    os.close(ours)
    assert child.wait() == 0
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.decode())


def test_plain_lines_tell_step_loss_speed_and_time_left(capsys):
    report()
    out, err = capsys.readouterr()
    assert out == ""
    start, first, warning, *rest = err.splitlines()
    assert start == "Training from step 12340 to 60000."
    assert re.fullmatch(
        r"step 12343/60000 · loss 12\.346 · spread 0\.123 · \d+ img/s · .+ left", first
    )
    assert warning == f"Warning at step 12343: {WARNING}"
    assert rest == [], "a warning is given once"


def test_each_kind_of_trouble_is_told_though_the_words_begin_alike(capsys):
    with Progress(Config(), 0, show=True) as progress:
        for kind in ("collapse", "crowding", "collapse"):
            progress.warn(kind, f"{WARNING} {kind}")
    _, *told = capsys.readouterr().err.splitlines()
    assert [line.split()[-1] for line in told] == ["collapse", "crowding"]


def test_silent_when_told_so(capsys):
    report(show=False)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("columns", [80, 200])
def test_a_bar_on_a_terminal_tells_speed_and_time_left_in_one_line(columns):
    written = re.split(r"[\r\n]+", on_a_terminal(columns))
    frames = [frame.strip() for frame in written if "img/s" in frame]
    assert frames
    assert re.search(r"12344/60000 \d+ img/s · .+ left loss 12\.346 · spread 0\.123$", frames[-1])
    assert all(len(frame) <= columns for frame in frames)


def test_a_warning_stands_above_the_bar_and_is_whole():
    words = " ".join(on_a_terminal(100).split())
    assert words.count("Warning at step 12343:") == 1
    assert f"Warning at step 12343: {WARNING.strip()}" in words
    assert "━" not in words[words.index("Warning") : words.rindex("Try …")]


@pytest.fixture
def now(monkeypatch) -> list[float]:
    """The clock, to be set."""
    now = [100.0]
    monkeypatch.setattr("swapmark.training.progress.time.monotonic", lambda: now[0])
    return now


def test_time_left_counts_steps_that_will_take_longer(now):
    c3 = C3Config(ramp_start=0.5, ramp_end=0.5)
    with Progress(Config(c3=c3, training=TrainingConfig(steps=100)), 0, show=False) as progress:
        now[0] += 10
        for _ in range(25):
            progress.advance()
    assert progress.speed == "80 img/s · 40 s left"  # 25 more so, and 51 at one and a half


def test_time_left_follows_from_the_speed_of_this_session(now):
    config = Config(method="imm", training=TrainingConfig(steps=1000))
    with Progress(config, 500, show=False) as progress:
        now[0] += 10
        for _ in range(50):
            progress.advance()
    assert progress.speed == "160 img/s · 1 min 30 s left"


def test_effort_counts_what_a_step_will_do():
    assert effort(C3Config(swap=0, inverse=0), 1.0) == 1
    swap = C3Config(inverse=0)
    assert effort(swap, swap.ramp_start) == 1 < effort(swap, 1.0)
    both, flow = C3Config(cycle=1), C3Config(equivariance=1)
    assert min(effort(both, 1.0), effort(flow, 1.0)) > effort(C3Config(), 1.0)


@pytest.mark.parametrize(
    ("seconds", "told"), [(59.4, "59 s"), (61, "1 min 01 s"), (90_060, "25 h 01 min")]
)
def test_durations_are_told_in_two_units(seconds, told):
    assert _duration(seconds) == told
