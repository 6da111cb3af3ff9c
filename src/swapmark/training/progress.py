"""Telling the user how training goes: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress


class Progress:
    """Progress of a run, as a context manager; written to standard error, silent unless `show`."""

    def __init__(self, *, total: int, done: int, batch: int, show: bool, run: Path):
        self.total, self.done, self.batch, self.show = total, done, batch, show
        self.run = run
        self.console = Console(stderr=True)
        self.bar: RichProgress | None = None
        self.first = done
        self.warned: set[str] = set()

    def __enter__(self) -> "Progress":
        self.started = time.monotonic()
        if self.show and self.console.is_terminal:
            self.bar = RichProgress(
                TextColumn("Training"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}"),
                console=self.console,
            )
            self.bar.start()
            self.task = self.bar.add_task(
                "", total=self.total, completed=self.done, rate="", note=""
            )
        return self

    def __exit__(self, *_) -> None:
        if self.bar:
            self.bar.stop()

    @property
    def rate(self) -> float:
        """Images a second since the start of this session."""
        return (self.done - self.first) * self.batch / max(1e-9, time.monotonic() - self.started)

    def advance(self) -> None:
        """One step is done."""
        self.done += 1
        if self.bar:
            self.bar.update(self.task, completed=self.done, rate=f"{self.rate:.0f} img/s")

    def log(self, line: dict) -> None:
        """Show the numbers of a line of metrics.jsonl."""
        note = f"loss {line['loss']:.3f} · spread {line['spread']:.3f}"
        if self.bar:
            self.bar.update(self.task, note=note)
        elif self.show:
            left = (self.total - self.done) * self.batch / max(1e-9, self.rate)
            self._print(
                f"step {self.done}/{self.total} · {note} · {self.rate:.0f} img/s · "
                f"{_duration(left)} left"
            )

    def warn(self, text: str) -> None:
        """Say what is wrong, once for each kind of trouble."""
        kind = text[:30]
        if self.show and kind not in self.warned:
            self.warned.add(kind)
            self._print(f"Warning at step {self.done}: {text}")

    def _print(self, text: str) -> None:
        if self.bar:
            self.bar.console.print(text, highlight=False)
        else:
            print(text, file=sys.stderr, flush=True)


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"
