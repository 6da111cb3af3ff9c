"""Commands that are killed at any moment: what they go on to is what it would have been."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import psutil

from campaigns.commands import (
    PATIENCE,
    Failed,
    end_of,
    kill,
    run,
    same_run,
    start,
    surroundings,
)
from campaigns.material import Material

LOAD = """
import hashlib, sys
from swapmark.data.cache import load_images
found = load_images(sys.argv[1], 64)
print(hashlib.sha256(found.batch(list(range(len(found)))).tobytes()).hexdigest())
"""
"""Fills the cache and tells what is in it."""


def killed_train(material: Material, folder: Path, random: Random) -> tuple[int, int]:
    """A training that is killed up to three times, and then goes on to its end."""
    out, log, kills = folder / "run", folder / "log.txt", 0
    for _ in range(random.choice((1, 1, 2, 3))):
        process = start(_again(material, out), log, folder / "cache")
        kills += _kill_within(process, material.seconds(), random)
        if process.returncode != -signal.SIGKILL:
            break
    run(_again(material, out), log, folder / "cache")
    same_run(out, material.trained())
    if left := [path.name for path in out.rglob("*.part")]:
        raise Failed(f"half-written files are left: {left}")
    return kills, 0


def _again(material: Material, out: Path, processes: int = 1) -> list[str | Path]:
    """The words that go on with a run, or begin it where there is none."""
    if not (out / "config.yaml").exists():
        return material.training(out, processes=processes)
    shared = ["--devices", str(processes), "--device", "cpu"] if processes > 1 else []
    return ["train", material.faces, "--out", out, "--resume", "--quiet", *shared]


def _kill_within(process: subprocess.Popen, seconds: float, random: Random) -> bool:
    """Kill a command at a moment of so many seconds; whether it was still at work."""
    try:
        process.wait(random.uniform(0.2, 0.95) * seconds)
    except subprocess.TimeoutExpired:
        kill(process)
    return process.returncode == -signal.SIGKILL


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
    command = [sys.executable, "-c", LOAD, str(folder / "in")]

    def load(cache: Path) -> subprocess.Popen:
        return subprocess.Popen(
            command, env=surroundings(cache), stdout=subprocess.PIPE, start_new_session=True
        )

    began = time.monotonic()
    whole, _ = load(folder / "other cache").communicate(timeout=PATIENCE)
    seconds = time.monotonic() - began
    kills = 0
    for _ in range(5):
        process = load(folder / "cache")
        kills += _kill_within(process, seconds, random)
        process.communicate()
    found, _ = load(folder / "cache").communicate(timeout=PATIENCE)
    if found != whole or not whole:
        raise Failed("the cache differs from that of an undisturbed process")
    return kills, 0


def killed_worker(material: Material, folder: Path, random: Random) -> tuple[int, int]:
    """Training in two processes of which one is killed: the other ends, and the run goes on."""
    out, log, cache = folder / "run", folder / "log.txt", folder / "cache"
    whole = material.trained(2)
    process = start(_again(material, out, 2), log, cache)
    workers, until = [], time.monotonic() + PATIENCE
    while len(workers) < 2 and process.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
        workers = [pid for pid in _descendants(process.pid) if _rank(pid) is not None]
    time.sleep(random.uniform(0.1, 0.8) * material.seconds(2))
    victims = [pid for pid in workers if psutil.pid_exists(pid)]
    killed = bool(victims) and process.poll() is None
    if killed:
        os.kill(random.choice(victims), signal.SIGKILL)
    code = end_of(process, log)
    told = log.read_text(errors="replace")
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
