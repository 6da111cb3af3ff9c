"""Telling the user how training goes: a bar on a terminal, plain lines elsewhere."""

import time
from contextlib import suppress
from itertools import accumulate

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as RichProgress
from rich.table import Column

from swapmark.objectives.c3 import C3Config
from swapmark.training.config import Config


class Progress:
    """Progress of a run, as a context manager; written to standard error, silent unless `show`.

    `done` steps were made in earlier sessions.
    """

    def __init__(self, config: Config, done: int, *, show: bool):
        self.total, self.batch = config.training.steps, config.training.batch_size
        self.first, self.done, self.show = done, done, show
        c3 = config.c3 if config.method == "c3" else None
        efforts = (effort(c3, step / self.total) if c3 else 1.0 for step in range(self.total))
        self.effort = [0.0, *accumulate(efforts)]
        self.note = ""
        self.warned: set[str] = set()
        self.console = Console(stderr=True, quiet=not show)
        whole = Column(no_wrap=True)
        self.bar = RichProgress(
            BarColumn(bar_width=None, table_column=Column(ratio=1)),
            MofNCompleteColumn(table_column=whole),
            TextColumn("{task.description}", markup=False, table_column=whole),
            console=self.console,
            expand=True,
            disable=not (show and self.console.is_terminal and done < self.total),
        )
        self.task = self.bar.add_task("", total=self.total, completed=done)

    def __enter__(self) -> "Progress":
        self.started = time.monotonic()
        if self.done >= self.total:
            self._tell(
                f"Note: the run is finished ({self.done} of {self.total} steps); nothing was "
                f"trained. For more steps start a new run with --steps and another --out."
            )
        else:
            self._tell(f"Training from step {self.done} to {self.total}.")
        self.bar.start()
        return self

    def __exit__(self, *_) -> None:
        self.bar.stop()

    @property
    def speed(self) -> str:
        """Images a second since this session began, and the time left by that and by `effort`."""
        taken = max(1e-9, time.monotonic() - self.started)
        rate = (self.done - self.first) / taken
        made = self.effort[self.done] - self.effort[self.first]
        left = taken * (self.effort[-1] - self.effort[self.done]) / max(1e-9, made)
        return f"{rate * self.batch:.0f} img/s · {_duration(left)} left"

    def advance(self) -> None:
        """One step is done."""
        self.done += 1
        self.bar.update(self.task, advance=1, description=f"{self.speed} {self.note}")

    def log(self, line: dict) -> None:
        """Show the numbers of a line of metrics.jsonl."""
        self.note = f"loss {line['loss']:.3f} · spread {line['spread']:.3f}"
        if self.bar.disable:
            self._tell(f"step {self.done}/{self.total} · {self.note} · {self.speed}")

    def warn(self, kind: str, text: str) -> None:
        """Say what is wrong, once for each kind of trouble, which a short word names."""
        if kind not in self.warned:
            self.warned.add(kind)
            self._tell(f"Warning at step {self.done}: {text}")

    def _tell(self, text: str) -> None:
        with suppress(OSError):  # a terminal that was closed: the run is saved, then it ends
            self.console.out(text, highlight=False)


def effort(c3: C3Config, share: float) -> float:
    """About how long a step takes at that share of a run, in units of one without swaps.

    A first swap took 0.2 to 0.8 more on a CPU at 128 px, a second 0.6 at 64 px; the flow is put at
    one whole step; the one that looks nearby took 0.3 at 128 px.
    """
    if not c3.ramp(share):
        return 1.0
    first = bool(c3.swap or c3.cycle or c3.inverse)
    return (
        1.0
        + 0.5 * first
        + 0.6 * bool(c3.cycle)
        + 1.0 * bool(c3.equivariance)
        + 0.3 * bool(c3.nearby)
    )


def _duration(seconds: float) -> str:
    """Whole seconds below a minute, minutes below an hour, then hours."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
