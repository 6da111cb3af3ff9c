"""Damaged pictures, archives, models, runs and tables: words and an exit code, and nothing lost."""

import io
import json
import shutil
import tarfile
import zipfile
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from campaigns.commands import Failed, check_points, nothing_changed, rows_of, run_each
from campaigns.damage import damaged, damaged_cells, damaged_json, with_right_sums
from campaigns.material import TABLES, Material

MOST_MEMORY = 1_500_000_000
"""Bytes that a command may hold while it reads small pictures, whatever their headers claim."""
ODD_NAMES = (
    "../../out-of-it.png",
    "/tmp/absolute.png",
    "a/../../b.png",
    "C:\\x.png",
    "\x1b[2J.png",
)
ODD_NAMES += ("é" * 200 + ".png", "nul\0l.png", "con.png", " .png", "-rf.png", "=1+1.png")
AT_ONCE, EACH = 500, 12
"""Damaged pictures of one command, and other damaged files of one try."""


def pictures(material: Material, folder: Path, random: Random) -> tuple[int, int]:
    """Damaged pictures in a folder, of which each is predicted or skipped with a reason.

    Returns how many, and the most bytes that were held.
    """
    given, table = folder / "in", folder / "out" / "points.csv"
    given.mkdir()
    kinds = [data for _, data in material.pictures]
    for number in range(AT_ONCE):
        ending, data = random.choice(material.pictures)
        data = damaged(data, random, kinds)
        if ending == "png" and random.random() < 0.7:
            data = with_right_sums(data)
        (given / f"{number:05}.{ending}").write_bytes(data)
    words = ["predict", str(material.trained()), str(given), "--out", str(table), "--quiet"]
    with nothing_changed(folder.parent, folder):
        (ended,) = run_each([words], folder)
    skipped = table.with_name("points-skipped.csv")
    found = check_points(table) + len(rows_of(skipped))
    if ended.code or found != AT_ONCE:
        raise Failed(f"{found} of {AT_ONCE} pictures are in the tables: {ended.told[-300:]}")
    if ended.peak > MOST_MEMORY:
        raise Failed(f"{ended.peak / 1e9:.2f} GB were held")
    return AT_ONCE, ended.peak


def archives(material: Material, folder: Path, random: Random) -> tuple[int, int]:
    """Zips and tars with odd members, most of them damaged."""
    commands, tables = [], []
    for number in range(EACH):
        ending = random.choice(("zip", "tar", "tar.gz", "tar.xz", "tar.bz2"))
        data = _archive(material, ending, random)
        if random.random() < 0.8:
            data = damaged(data, random)
        path, out = folder / f"in-{number}.{ending}", folder / "out" / f"{number}.csv"
        path.write_bytes(data)
        tables.append(out)
        verb = random.choice(("predict", "predict", "evaluate"))
        words = [verb, str(material.trained()), str(path), "--out", str(out), "--quiet"]
        commands.append(words)
    with nothing_changed(folder.parent, *_own(folder)):
        ended = run_each(commands, folder)
    for words, table, end in zip(commands, tables, ended, strict=True):
        if words[0] == "predict" and end.code == 0 and not check_points(table):
            raise Failed(f"{list(map(str, words))}: exit code 0 and no point")
    return EACH, max(end.peak for end in ended)


def _archive(material: Material, ending: str, random: Random) -> bytes:
    members = [(f"images/{path.name}", path.read_bytes()) for path in _some(material, random)]
    members.append(("marks.csv", (material.photos / "marks.csv").read_bytes()))
    for _ in range(random.randrange(3)):
        members.insert(random.randrange(len(members)), (random.choice(ODD_NAMES), members[0][1]))
    file = io.BytesIO()
    if ending == "zip":
        with zipfile.ZipFile(file, "w", random.choice((0, 8, 8, 12, 14))) as archive:
            for name, data in members:
                info = zipfile.ZipInfo(name.replace("\0", "0"))
                info.compress_type = archive.compression
                info.external_attr = random.choice((0o100644, 0o100644, 0o120777, 0o10644)) << 16
                archive.writestr(info, data)
        return file.getvalue()
    kind: Any = "w:" + ending.partition(".")[2]
    with tarfile.open(fileobj=file, mode=kind, format=random.randrange(3)) as archive:
        for name, data in members:
            info = tarfile.TarInfo(_short(name))
            info.size = len(data)
            if random.random() < 0.15:
                info.type = random.choice((b"1", b"2", b"3", b"5", b"6", b"S", b"L", b"x", b"g"))
                info.linkname = _short(random.choice(ODD_NAMES))
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def _short(name: str) -> str:
    """As much of a name as every kind of tar holds, which counts bytes."""
    return name.encode(errors="surrogateescape")[:90].decode(errors="ignore")


def _some(material: Material, random: Random) -> list[Path]:
    return random.sample(sorted((material.photos / "images").iterdir()), 6)


def models(material: Material, folder: Path, random: Random) -> tuple[int, int]:
    """Model folders whose settings or weights are damaged: refused, or every point is a number."""
    commands, tables = [], []
    for number in range(EACH):
        model, out = folder / f"in-{number}", folder / "out" / f"{number}.csv"
        shutil.copytree(material.trained() / "model", model)
        config, weights = model / "config.json", model / "model.safetensors"
        match random.randrange(6):
            case 0 | 1:
                config.write_text(damaged_json(config.read_text(), random))
            case 2:
                config.write_bytes(damaged(config.read_bytes(), random))
            case 3:
                weights.write_bytes(damaged(weights.read_bytes(), random))
            case 4:
                weights.write_bytes(_other_header(weights.read_bytes(), random))
            case _:
                weights.write_bytes(_other_weights(weights.read_bytes(), random))
        photos = str(material.photos / "images")
        commands.append(["predict", model, photos, "--out", out, "--quiet"])
        tables.append(out)
    with nothing_changed(folder.parent, *_own(folder)):
        ended = run_each(commands, folder)
    for words, table, end in zip(commands, tables, ended, strict=True):
        if end.code == 0 and check_points(table) != 24:
            raise Failed(f"{list(map(str, words))}: exit code 0, and pictures lack points")
        if end.code and table.exists():
            raise Failed(f"{list(map(str, words))}: refused, and there is a table")
    return EACH, max(end.peak for end in ended)


def _other_header(data: bytes, random: Random) -> bytes:
    length = int.from_bytes(data[:8], "little")
    header = damaged_json(data[8 : 8 + length].decode(), random).encode()
    return len(header).to_bytes(8, "little") + header + data[8 + length :]


def _other_weights(data: bytes, random: Random) -> bytes:
    tensors = load(data)
    name = random.choice(sorted(tensors))
    tensors[name] = np.array(tensors[name])
    value = random.choice((np.nan, np.inf, -np.inf, 1e38, 3e38, 0.0))
    tensors[name].flat[random.randrange(tensors[name].size)] = value
    return save(tensors)


def runs(material: Material, folder: Path, random: Random) -> tuple[int, int]:
    """Runs with a damaged file that go on: the same end as ever, or words and nothing lost."""
    run = folder / "out" / "run"
    shutil.copytree(material.trained(), run)
    newest = run / "checkpoints" / "step-0000040.pt"
    if random.random() < 0.7:
        newest.unlink()
        newest = run / "checkpoints" / "step-0000030.pt"
    name = random.choice(("config.yaml", "images.json", "metrics.jsonl", "environment.json", ""))
    harmed = run / name if name else newest
    text = harmed.read_bytes()
    if name == "config.yaml" and random.random() < 0.7:
        harmed.write_text(damaged_cells(text.decode(), random))
    elif name == "images.json" and random.random() < 0.7:
        harmed.write_text(damaged_json(text.decode(), random))
    else:
        harmed.write_bytes(damaged(text, random))
    kept = {path.name for path in (run / "checkpoints").iterdir()}
    words = ["train", str(material.faces), "--out", str(run), "--resume", "--quiet"]
    with nothing_changed(folder.parent, folder):
        (ended,) = run_each([words], folder)
    if ended.code and not kept <= {path.name for path in (run / "checkpoints").iterdir()}:
        raise Failed(f"{name or newest.name} is damaged, and checkpoints are lost")
    weights = "model/model.safetensors"
    same = (run / weights).read_bytes() == (material.trained() / weights).read_bytes()
    if ended.code == 0 and name != "config.yaml" and not same:
        raise Failed(f"{name or newest.name} is damaged, and the weights differ")
    return 1, ended.peak


def tables(material: Material, folder: Path, random: Random) -> tuple[int, int]:
    """Damaged tables of every format, converted, fitted and evaluated."""
    commands = []
    shutil.copytree(material.trained(), folder / "out" / "run")
    for number in range(EACH):
        kind = random.choice(sorted(TABLES))
        data = material.tables[kind]
        if kind == "coco" and random.random() < 0.6:
            data = damaged_json(data.decode(), random).encode()
        elif kind not in ("coco", "parquet") and random.random() < 0.7:
            data = damaged_cells(data.decode(), random).encode("utf-8", "surrogatepass")
        else:
            data = damaged(data, random, list(material.tables.values()))
        path = folder / f"in-{number}.{TABLES[kind]}"
        path.write_bytes(data)
        beside, model = ["--images", str(material.photos)], str(folder / "out" / "run")
        to = random.choice(sorted(TABLES))
        out = folder / "out" / f"{number}.{TABLES[to]}"
        words = random.choice(
            (
                ["convert", str(path), str(out), "--to", to, *beside],
                ["convert", str(path), str(out), "--to", to],
                ["fit", model, str(path), "--out", f"mine{number}", "--quiet", *beside],
                ["evaluate", model, str(path), "--out", str(out), "--quiet", *beside],
            )
        )
        commands.append(words)
    with nothing_changed(folder.parent, *_own(folder)):
        ended = run_each(commands, folder)
    for path in (folder / "out" / "run" / "points").glob("*.json"):
        odd: list[str] = []  # NaN and infinities, which JSON has no words for
        if not json.loads(path.read_text(), parse_constant=odd.append) or odd:
            raise Failed(f"{path.name} holds no points {odd[:3]}")
    return EACH, max(end.peak for end in ended)


def _own(folder: Path) -> list[Path]:
    """Where the commands of a try may write."""
    return [folder / name for name in ("out", "cache", "logs")]
