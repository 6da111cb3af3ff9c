"""Disks that are full, and two commands that write to one place."""

import os
import shutil
import signal
import time
from pathlib import Path
from random import Random

from campaigns.commands import (
    PATIENCE,
    Failed,
    end_of,
    kill,
    nothing_changed,
    run,
    run_each,
    same_run,
    start,
)
from campaigns.material import Material


def full_disk(material: Material, folder: Path, random: Random) -> tuple[int, int]:
    """Commands whose files may not grow beyond a random size: told, and the old files are whole."""
    out, photos = folder / "out", str(material.photos)
    shutil.copytree(material.trained(), out / "run")
    shutil.copytree(material.trained(), out / "begun")
    for path in (out / "begun" / "checkpoints").glob("*40.pt"):
        path.unlink()
    model, table = str(out / "run"), str(out / "points.csv")
    shutil.copy(material.points, table)
    (out / "run" / "points").mkdir()
    mine = out / "run" / "points" / "mine.json"
    mine.write_text("{}")
    over = ["--overwrite", "--quiet"]
    faces, marks = str(material.faces), str(material.photos / "marks.csv")
    config = str(material.folder / "settings.yaml")
    commands = {
        "predict": ["predict", model, photos, "--out", table, *over],
        "draw": ["predict", model, photos, "--out", table, "--overlay", f"{out}/look.png", *over],
        "convert": ["convert", marks, table, "--overwrite"],
        "fit": ["fit", model, faces, "--out", "mine", *over],
        "train": ["train", faces, "--out", f"{out}/new", "--config", config, "--quiet"],
        "resume": ["train", faces, "--out", f"{out}/begun", "--resume", "--quiet"],
    }
    name = random.choice(sorted(commands))
    limit = int(10 ** random.uniform(0, 6))
    old = {path: path.read_bytes() for path in (Path(table), mine)}
    with nothing_changed(folder.parent, folder):
        (ended,) = run_each([commands[name]], folder, limit)
    if ended.code and not any(word in ended.told for word in ("could not", "cannot")):
        raise Failed(f"{name} at {limit} bytes: {ended.told[-300:]}")
    changed = [path for path, data in old.items() if path.read_bytes() != data]
    if changed and ended.code and name in ("convert", "fit", "predict"):
        raise Failed(f"{name} at {limit} bytes changed {changed}")
    if left := list(out.rglob("*.part")):
        raise Failed(f"{name} at {limit} bytes left {left}")
    if name in ("train", "resume"):  # with room again it ends as ever
        where = out / ("new" if name == "train" else "begun")
        begun = (where / "config.yaml").exists()
        words = [*commands["resume"][:3], str(where), "--resume", "--quiet"]
        run(words if begun else commands["train"], folder / "log.txt", folder / "cache")
        same_run(where, material.trained())
    return 1, ended.peak


def two_trainings(material: Material, folder: Path, random: Random) -> tuple[int, int]:
    """Two trainings in one folder, one after the other: one is refused, or replaces the other."""
    out, logs = folder / "run", [folder / "one.txt", folder / "other.txt"]
    seconds = random.uniform(0, 1) * material.seconds()
    first = start(material.training(out), logs[0], folder / "cache")
    time.sleep(seconds)
    more = random.choice((["--overwrite"], []))
    second = start([*material.training(out), *more], logs[1], folder / "cache")
    codes = [end_of(process, log) for process, log in zip((first, second), logs, strict=True)]
    told = "".join(log.read_text() for log in logs)
    if codes == [2, 2] or (2 in codes and f"{out}" not in told):
        raise Failed(f"exit codes {codes}: {told[-500:]}")
    same_run(out, material.trained())
    return 1, 0


def two_predictions(material: Material, folder: Path, random: Random) -> tuple[int, int]:
    """Two predictions into one table at once: it is that of one of them, whole."""
    out, whole = folder / "points.csv", material.points.read_text()
    processes = []
    for name in ("one", "other"):
        words = ["predict", material.trained(), material.photos, "--out", out, "--overwrite"]
        words += ["--quiet", "--names", f"landmark_1={name}"]
        log = folder / f"{name}.txt"
        processes.append((start(words, log, folder / "cache"), log))
        time.sleep(random.choice((0, random.uniform(0, 1))))
    codes = [end_of(process, log) for process, log in processes]
    names = [whole.replace("landmark_1_", f"{name}_") for name in ("one", "other")]
    if codes != [0, 0] or out.read_text() not in names:
        raise Failed(f"exit codes {codes}, and the table is not that of one of the two")
    return 1, 0


def two_pages(material: Material, folder: Path, random: Random) -> tuple[int, int]:
    """Two pages that would write one table: one of them is refused, with the table's name."""
    table, pages = folder / "marks.csv", []
    shutil.copy(material.photos / "marks.csv", table)
    whole = table.read_bytes()
    for name in ("one.txt", "other.txt"):
        words = ["mark", material.photos, "--out", table, "--address-only"]
        pages.append((start(words, folder / name, folder / "cache"), folder / name))
        time.sleep(random.choice((0, random.uniform(0, 3))))
    try:
        until = time.monotonic() + PATIENCE
        while all(page.is_alive() for page, _ in pages) and time.monotonic() < until:
            time.sleep(0.1)
        (refused, *_), (stays, *_) = (
            (
                [(page, log) for page, log in pages if (page.is_alive()) == alive]
                for alive in (False, True)
            )
            if any(page.is_alive() for page, _ in pages)
            else ([None], [None])
        )
        if refused is None or stays is None:
            raise Failed("neither page stays")
        if end_of(*refused) != 2 or table.name not in refused[1].read_text():
            raise Failed(f"the second page: {refused[1].read_text()[-300:]}")
        while "http://" not in stays[1].read_text() and time.monotonic() < until:
            time.sleep(0.1)
        os.kill(stays[0].pid or 0, signal.SIGINT)
        end_of(*stays)
    finally:
        for page, _ in pages:
            kill(page)
    if table.read_bytes() != whole:
        raise Failed("the table was changed, and nothing was marked")
    return 1, 0
