"""Training on more pictures than fit into memory: decoding that is killed, the first step, memory.

    python benchmarks/large_set.py lfw.zip --pictures 200000 --kills 3 --out large-set.jsonl

The pictures of the archive are linked over and over, under names of their own, until there are so
many. They are decoded into a cache of their own by `swapmark train`, which is killed on the way and
called again; then once more with a warm cache. The line that is written has how many pictures were
there after each kill, the seconds to the first step, and the largest resident memory.
"""

import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from cyclopts import run
from predict_parts import link

from harness.machine import append_line, circumstances


def train(pictures: Path, out: Path, kill_at: float | None = None) -> dict[str, float]:
    """Train for three steps: seconds to the first and to the end, peak MB.

    With `kill_at` it is killed when so many bytes are in the cache.
    """
    words = [sys.executable, "-m", "swapmark", "train", str(pictures), "--out", str(out)]
    words += ["--steps", "3", "--set", "training.log_every=1", "--overwrite"]
    log = out.with_name("log.txt")
    with log.open("w") as told:
        process = subprocess.Popen(words, stdout=told, stderr=told)
        began, held, peak, first = time.monotonic(), psutil.Process(process.pid), 0, None
        while process.poll() is None:
            seconds = time.monotonic() - began
            if first is None and (out / "metrics.jsonl").exists():
                first = seconds
            try:
                peak = max(peak, held.memory_info().rss // 10**6)
            except psutil.Error:
                break
            if kill_at is not None and _cached() >= kill_at:
                process.send_signal(signal.SIGKILL)
            time.sleep(0.1)
    if process.wait() and kill_at is None:
        sys.exit(f"The command failed: {log.read_text()[-500:]}")
    lines = re.findall(r"Decoding images: (\d+)", log.read_text())
    counted = {"first_told": int(lines[0]), "last_told": int(lines[-1])} if lines else {}
    seconds = {"seconds": round(time.monotonic() - began)}
    return counted | seconds | ({"first_step_s": round(first, 1)} if first else {}) | {"mb": peak}


def _cached() -> int:
    """Bytes in the cache."""
    folder = Path(os.environ["SWAPMARK_CACHE"])
    return sum(path.stat().st_size for path in folder.glob(".*.begun"))


def main(
    archive: Path, *, out: Path, pictures: int = 200_000, kills: int = 3, seed: int = 0
) -> None:
    """Make the pictures, train on them, and write the line."""
    random.seed(seed)
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        os.environ["SWAPMARK_CACHE"] = str(folder / "cache")
        link(archive, pictures, folder)
        whole = pictures * 128 * 128 * 3
        at = sorted(random.uniform(0.05, 0.95) * whole for _ in range(kills))
        stopped = []
        for number, share in enumerate(at):
            seen = train(folder / "pictures", folder / f"killed-{number}", share)
            stopped.append(seen | {"pictures_there": _cached() // (128 * 128 * 3)})
        cold = train(folder / "pictures", folder / "run")
        warm = train(folder / "pictures", folder / "again")
        size = sum(path.stat().st_size for path in (folder / "cache").iterdir())
    line = {"pictures": pictures, "cache_gb": round(size / 1e9, 1)}
    line |= {"killed": stopped, "cold": cold, "warm": warm}
    append_line(out, line | circumstances())
    print(line)


if __name__ == "__main__":
    run(main)
