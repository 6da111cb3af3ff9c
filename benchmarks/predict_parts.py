"""Prediction in parts, killed at random: is the joined table that of one run, and what memory?

    python benchmarks/predict_parts.py faces.onnx lfw.zip --pictures 20000 --shards 2 --kills 10 \
        --compare --out parts.jsonl

The pictures of the archive are linked over and over, under names of their own, until there are so
many. The line that is written has the kills, the rows that differ from those of one prediction
(`--compare`), the seconds to the first part, and the memory at each eighth of the way.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import psutil
from cyclopts import Parameter, run

from harness.machine import append_line, circumstances
from swapmark.data.sources import list_images

A_FOLDER = 1000


@dataclass
class Watched:
    """What was seen of the processes."""

    kills: int = 0
    first_part: float | None = None
    memory: list[tuple[int, int]] = field(default_factory=list)
    """Parts that were there, and MB."""


def link(archive: Path, count: int, folder: Path) -> None:
    """Fill a folder with so many links to the pictures of an archive."""
    (folder / "of").mkdir(parents=True)
    files = []
    for item in list_images(archive):
        files.append(folder / "of" / f"{len(files)}{Path(item.name).suffix}")
        files[-1].write_bytes(item.read())  # pyright: ignore[reportArgumentType]: of an archive
    for number in range(count):
        there = folder / "pictures" / f"{number // A_FOLDER:04d}"
        if number % A_FOLDER == 0:
            there.mkdir(parents=True)
        source = files[number % len(files)]
        os.link(source, there / f"{number:07d}{source.suffix}")


def predict(words: list[str], parts: Path, kill_at: int | None, seen: Watched) -> bool:
    """Run the command, and kill it once so many parts are there; whether it came to its end."""
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    began, held = time.monotonic(), psutil.Process(process.pid)
    while process.poll() is None:
        there = len(list(parts.glob("part-?????.csv")))
        if there and seen.first_part is None:
            seen.first_part = round(time.monotonic() - began, 1)
        if not seen.memory or seen.memory[-1][0] != there:
            try:
                seen.memory.append((there, held.memory_info().rss // 10**6))
            except psutil.Error:
                break
        if kill_at is not None and there >= kill_at:
            time.sleep(random.uniform(0, 3))
            process.send_signal(signal.SIGKILL)
        time.sleep(0.05)
    return process.wait() == 0


def main(
    model: str,
    archive: Path,
    *,
    out: Path,
    pictures: int = 20_000,
    shards: int = 1,
    kills: int = 0,
    seed: int = 0,
    compare: bool = False,
    only: Annotated[int | None, Parameter(help="Make this shard alone.")] = None,
) -> None:
    """Make the pictures, predict them, and write the line."""
    random.seed(seed)
    seen, differ = Watched(), None
    with tempfile.TemporaryDirectory() as work:
        folder, parts = Path(work), Path(work) / "parts"
        link(archive, pictures, folder)
        start = [sys.executable, "-m", "swapmark", "predict", model, str(folder / "pictures")]
        total = -(-pictures // 1024)
        at = sorted(random.sample(range(total), min(kills, total)))
        began = time.monotonic()
        for shard in [only] if only else range(1, shards + 1):
            words = [*start, "--out", str(parts), "--shard", f"{shard}/{shards}"]
            while not predict(words, parts, at[0] if at else None, seen):
                if not at:
                    sys.exit(f"The command failed: {words}")
                seen.kills, at = seen.kills + 1, at[1:]
        seconds = time.monotonic() - began
        if compare:
            subprocess.run([*start, "--out", str(folder / "one.csv")], check=True)
            joined = folder / "joined.csv"
            words = [sys.executable, "-m", "swapmark", "convert", str(parts), str(joined)]
            subprocess.run(words, check=True)
            one, other = (
                (folder / name).read_text().splitlines() for name in ("one.csv", "joined.csv")
            )
            differ = abs(len(one) - len(other)) + sum(
                a != b for a, b in zip(one, other, strict=False)
            )
        shutil.rmtree(parts)
    step = max(1, len(seen.memory) // 8)
    line = {
        "pictures": pictures,
        "shard": f"{only or 'all'} of {shards}",
        "kills": seen.kills,
        "rows_that_differ": differ,
        "seconds": round(seconds),
        "seconds_to_first_part": seen.first_part,
        "parts_and_mb": seen.memory[::step],
        "peak_mb": max(held for _, held in seen.memory),
    }
    append_line(out, line | circumstances())
    print(line)


if __name__ == "__main__":
    run(main)
