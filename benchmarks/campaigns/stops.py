"""Commands that are killed at any moment: what they go on to is what it would have been."""

import hashlib
import os
import signal
import time
from functools import partial
from pathlib import Path
from random import Random

import numpy as np
import psutil

from campaigns.commands import (
    PATIENCE,
    Failed,
    Process,
    end_of,
    kill,
    run,
    same_run,
    start,
    start_call,
    told_in,
)
from campaigns.material import Material
from swapmark.data.cache import load_images


def killed_train(material: Material, folder: Path, random: Random) -> tuple[int, int]:
    """A training that is killed up to three times, and then goes on to its end."""
    out, log, kills = folder / "run", folder / "log.txt", 0
    seconds = material.seconds()
    for _ in range(random.choice((1, 1, 2, 3))):
        process = start(_again(material, out), log, folder / "cache")
        # Half of the time goes by before the first step: most kills wait for a random one.
        lines = random.choice((0, *range(9)))
        while process.is_alive() and _lines(out / "metrics.jsonl") < lines:
            time.sleep(0.02)
        kills += _kill_within(process, seconds / 8 if lines else seconds, random)
        if process.exitcode != -signal.SIGKILL:
            break
    run(_again(material, out), log, folder / "cache")
    same_run(out, material.trained())
    if left := [path.name for path in out.rglob("*.part")]:
        raise Failed(f"half-written files are left: {left}")
    return kills, 0


def _lines(path: Path) -> int:
    return len(path.read_text().splitlines()) if path.exists() else 0


def _again(material: Material, out: Path, processes: int = 1) -> list[str | Path]:
    """The words that go on with a run, or begin it where there is none."""
    if not (out / "config.yaml").exists():
        return material.training(out, processes=processes)
    shared = ["--devices", str(processes), "--device", "cpu"] if processes > 1 else []
    return ["train", material.faces, "--out", out, "--resume", "--quiet", *shared]


def _kill_within(process: Process, seconds: float, random: Random) -> bool:
    """Kill a command at a moment of so many seconds; whether it was still at work."""
    process.join(random.uniform(0, 0.95) * seconds)
    if process.is_alive():
        kill(process)
    return process.exitcode == -signal.SIGKILL


def killed_predict(material: Material, folder: Path, random: Random) -> tuple[int, int]:
    """A prediction that replaces a table and is killed: the old table or the new one, whole."""
    out, log, cache = folder / "points.csv", folder / "log.txt", folder / "cache"
    whole = material.points.read_bytes()
    old = b"file,a_x,a_y\nold.png,1,2\n"
    out.write_bytes(old)
    words = ["predict", material.trained(), material.photos, "--out", out, "--overwrite", "--quiet"]
    began = time.monotonic()
    run(words, log, cache)
    seconds = time.monotonic() - began
    kills = 0
    for _ in range(5):
        out.write_bytes(old)
        process = start(words, log, cache)
        kills += _kill_within(process, seconds, random)
        if out.read_bytes() not in (old, whole):
            raise Failed("the table is neither the old one nor the new one")
    run(words, log, cache)
    if out.read_bytes() != whole:
        raise Failed("the table differs from that of an undisturbed command")
    return kills, 0


def killed_cache(material: Material, folder: Path, random: Random) -> tuple[int, int]:
    """Pictures that are decoded into the cache, by a process that is killed on the way."""
    for number in range(12):
        (folder / "in").mkdir(exist_ok=True)
        for path in (material.photos / "images").iterdir():
            (folder / "in" / f"{number}-{path.name}").write_bytes(path.read_bytes())
    logs = [folder / "whole.txt", folder / "killed.txt", folder / "found.txt"]
    act = partial(_tell_pixels, folder / "in")
    began = time.monotonic()
    end_of(start_call(act, logs[0], folder / "other cache"), logs[0])
    seconds, kills = time.monotonic() - began, 0
    for _ in range(5):
        kills += _kill_within(start_call(act, logs[1], folder / "cache"), seconds, random)
    end_of(start_call(act, logs[2], folder / "cache"), logs[2])
    if told_in(logs[0]) != told_in(logs[2]):
        raise Failed("the cache differs from that of an undisturbed process")
    return kills, 0


def _tell_pixels(folder: Path) -> int:
    """Print what the cache holds of the pictures in a folder, made if need be."""
    found = load_images(str(folder), 64)
    pixels = found.batch(np.arange(len(found)))
    print(len(found), hashlib.sha256(pixels.tobytes()).hexdigest())
    return 0


def killed_worker(material: Material, folder: Path, random: Random) -> tuple[int, int]:
    """Training in two processes of which one is killed: the other ends, and the run goes on."""
    out, log, cache = folder / "run", folder / "log.txt", folder / "cache"
    whole = material.trained(2)
    process = start(_again(material, out, 2), log, cache)
    workers, until = [], time.monotonic() + PATIENCE
    while len(workers) < 2 and process.is_alive() and time.monotonic() < until:
        time.sleep(0.05)
        workers = [pid for pid in _descendants(process.pid or 0) if _rank(pid) is not None]
    time.sleep(random.uniform(0.1, 0.8) * material.seconds(2))
    victims = [pid for pid in workers if psutil.pid_exists(pid)]
    killed = bool(victims) and process.is_alive()
    if killed:
        os.kill(random.choice(victims), signal.SIGKILL)
    code = end_of(process, log)
    told = told_in(log)
    if killed and code == 2 and "SIGKILL" not in told:
        raise Failed(f"the end of a worker is not told: {told[-300:]}")
    if left := [pid for pid in workers if psutil.pid_exists(pid)]:
        raise Failed(f"workers go on: {left}")
    run(_again(material, out, 2), log, cache)
    same_run(out, whole)
    return int(killed and code == 2), 0


def _descendants(pid: int) -> list[int]:
    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return []


def _rank(pid: int) -> str | None:
    try:
        return psutil.Process(pid).environ().get("RANK")
    except psutil.Error:
        return None
