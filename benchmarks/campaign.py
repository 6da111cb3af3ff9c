"""Tries to lose or harm something, over and over: kills, damaged files, full disks, two at once.

    python benchmarks/campaign.py --minutes 5
    python benchmarks/campaign.py --only pictures --seed 7      # one try once more

The minutes are shared by the campaigns. Each try has a seed of its own, which repeats it; what a
failed one left is kept in --keep. The numbers go to benchmarks/results/campaign.jsonl.
"""

import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from cyclopts import App

from campaigns import inputs, outputs, stops
from campaigns.commands import Failed
from campaigns.material import Material, make_material
from harness.machine import append_line, circumstances

app = App(help=__doc__, help_format="plaintext")
RESULTS = Path(__file__).parent / "results" / "campaign.jsonl"
Try = Callable[[Material, Path, Random], tuple[int, int]]
CAMPAIGNS: dict[str, tuple[float, Try]] = {
    "kill-train": (12, stops.killed_train),
    "kill-predict": (3, stops.killed_predict),
    "kill-cache": (1, stops.killed_cache),
    "kill-worker": (5, stops.killed_worker),
    "pictures": (11, inputs.pictures),
    "archives": (3, inputs.archives),
    "models": (3, inputs.models),
    "runs": (2, inputs.runs),
    "tables": (3, inputs.tables),
    "full-disk": (3, outputs.full_disk),
    "two-trainings": (2, outputs.two_trainings),
    "two-predictions": (1, outputs.two_predictions),
    "two-pages": (1, outputs.two_pages),
}
"""By name, the parts of the time that a campaign gets, and a try of it: how many things it tried,
and the most bytes that a process held, where that is measured."""


@dataclass
class Tally:
    """What became of the tries of one campaign."""

    campaign: str
    seconds: float = 0.0
    tries: int = 0
    peak_mb: int = 0
    failed: dict[int, str] = field(default_factory=dict)
    """By seed, what went wrong."""

    def __str__(self) -> str:
        memory = f"{self.peak_mb:,} MB" if self.peak_mb else ""
        first = f"--only {self.campaign} --seed {min(self.failed)}" if self.failed else ""
        numbers = f"{self.tries:>7,}{len(self.failed):>9,}{self.seconds:>8,.0f} s"
        return f"{self.campaign:<16}{numbers}{memory:>10}  {first}"


@app.default
def main(
    *,
    minutes: float = 5,
    only: str | None = None,
    seed: int | None = None,
    keep: Path = Path("campaign-failures"),
    results: Path = RESULTS,
) -> int:
    """Run all campaigns, or one, or by its seed one try, which is kept; 1 if any failed."""
    if only not in (None, *CAMPAIGNS) or (seed is not None and only is None):
        sys.exit(f"--only is {only}; expected one of {', '.join(CAMPAIGNS)}, also with --seed.")
    os.environ["OMP_NUM_THREADS"] = "1"  # before torch is loaded: sums, and one core a process
    chosen = {only: CAMPAIGNS[only]} if only else CAMPAIGNS
    begin = int(time.time()) % 10**6 * 1000 if seed is None else seed
    tallies = []
    with tempfile.TemporaryDirectory(prefix="campaign-") as work:
        (Path(work) / "material").mkdir()
        material = make_material(Path(work) / "material")
        deadline = time.monotonic() + 60 * minutes
        for number, (name, (part, attempt)) in enumerate(chosen.items()):
            parts = sum(part for part, _ in list(chosen.values())[number:])
            until = time.monotonic() + (deadline - time.monotonic()) * part / parts
            tally, at = Tally(name), begin
            while not tally.seconds or (seed is None and time.monotonic() < until):
                folder = _try(attempt, material, Path(work), tally, at)
                if at in tally.failed or seed is not None:
                    shutil.copytree(folder, keep / folder.name, dirs_exist_ok=True, symlinks=True)
                shutil.rmtree(folder, ignore_errors=True)
                at += 1
            print(tally, flush=True)
            tallies.append(tally)
            if seed is None:
                numbers = vars(tally) | {"seconds": round(tally.seconds), "seed": begin}
                append_line(results, numbers | circumstances())
    return int(any(tally.failed for tally in tallies))


def _try(attempt: Try, material: Material, work: Path, tally: Tally, seed: int) -> Path:
    """Make one try in a folder of its own, count it, and give the folder."""
    folder, began = work / f"{tally.campaign}-{seed}", time.monotonic()
    (folder / "out").mkdir(parents=True)
    try:
        tries, peak = attempt(material, folder, Random(f"{tally.campaign} {seed}"))
        tally.tries += tries
        tally.peak_mb = max(tally.peak_mb, peak // 10**6)
    except Exception as failed:  # also of the campaign itself: the others must have their turn
        told = str(failed) if isinstance(failed, Failed) else traceback.format_exc()
        tally.failed[seed] = " ".join(told.split())[-500:]
        tally.tries += 1
        print(f"{tally.campaign} --seed {seed}: {told}", file=sys.stderr, flush=True)
    tally.seconds += time.monotonic() - began
    return folder


if __name__ == "__main__":
    sys.exit(app())
