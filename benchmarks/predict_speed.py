"""How fast does a model find landmarks, and where does the time go? Lines of JSON.

    python benchmarks/predict_speed.py stages faces               # reading, network, predict
    python benchmarks/predict_speed.py one faces pictures/ --cores 1 --batch-size 64
    OMP_NUM_THREADS=1 python benchmarks/predict_speed.py networks faces    # torch against ONNX
    OMP_NUM_THREADS=1 python benchmarks/predict_speed.py video faces film.mp4

Seconds are of processor time, over all threads, so that other work on the machine tells little.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

import numpy as np
from cyclopts import App
from PIL import Image

import swapmark
from harness.machine import append_line, circumstances
from swapmark.data.decoding import load_item
from swapmark.data.sources import list_images

app = App(help=__doc__, help_format="plaintext")
KINDS = {"webp": ("128 px WebP", 512), "jpg": ("1600×1200 JPEG", 128)}
"""Ending: what it is called, how many pictures."""
DRAWN = 32
"""Different pictures; the others are copies."""


@app.command
def stages(model: str, *, rounds: int = 5, out: Path | None = None) -> None:
    """Run `one` for both kinds of pictures, torch and ONNX, one core and all, batches 1, 64, all.

    Each in a process of its own, for its peak memory. Lines go to `out`, a table to the screen.
    """
    print("| pictures | cores | engine | batch | images/s | read | network | whole | ratio | MB |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    cores = sorted({1, os.cpu_count() or 1})
    with tempfile.TemporaryDirectory() as place:
        onnx = Path(place, "model.onnx")
        swapmark.load(model, device="cpu").export(onnx)
        for ending, (_, count) in KINDS.items():
            _draw(Path(place, ending), ending, count)
        engines = ((model, "torch"), (str(onnx), "onnx"))
        for ending, used, (name, engine), batch in product(KINDS, cores, engines, (1, 64, None)):
            title, count = KINDS[ending]
            words = [sys.executable, __file__, "one", name, str(Path(place, ending))]
            words += ["--cores", str(used), "--batch-size", str(batch or count)]
            told = subprocess.run(
                [*words, "--rounds", str(rounds)],
                env={**os.environ, "OMP_NUM_THREADS": str(used)},
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            line = json.loads(told.stdout)
            line |= {"model": model, "engine": engine, "pictures": title}
            line["command"] = "python benchmarks/predict_speed.py stages"
            if out:
                append_line(out, line)
            ms = (f"{line[f'{part}_ms']:.1f}" for part in ("read", "network", "whole"))
            cells = [title, used, engine, batch or "all", f"{line['images_a_second']:.0f}", *ms]
            cells += [f"{line['ratio']:.2f}", line["peak_mb"]]
            print(f"| {' | '.join(map(str, cells))} |", flush=True)


@app.command
def one(model: str, folder: Path, *, cores: int, batch_size: int = 64, rounds: int = 5) -> None:
    """Time reading alone, the network alone, and `predict`, in turns: ms of processor a picture.

    `ratio` is the median over rounds of predict's time to the sum of the other two. `peak_mb` is
    that of the first predict, when nothing else has been held.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    detector = swapmark.load(model, device="cpu")
    items = list_images(folder)
    detector.predict(items, batch_size=batch_size)
    peak = _peak_mb()
    network, found = detector.network, []
    for _ in range(rounds):
        times = [time.process_time()]
        squares = [load_item(item, network.image_size, network.resize)[0] for item in items]
        times.append(time.process_time())
        for at in range(0, len(squares), batch_size):
            network.find(np.stack(squares[at : at + batch_size]))
        times.append(time.process_time())
        began = time.perf_counter()
        detector.predict(items, batch_size=batch_size)
        rate = len(items) / (time.perf_counter() - began)
        times.append(time.process_time())
        read, alone, whole = np.diff(times) * 1000 / len(items)
        found.append((read, alone, whole, whole / (read + alone), rate))
    names = ("read_ms", "network_ms", "whole_ms", "ratio", "images_a_second")
    medians = [round(statistics.median(of), 3) for of in zip(*found, strict=True)]
    measured = dict(zip(names, medians, strict=True))
    _print(model, cores=cores, batch_size=batch_size, **measured, peak_mb=peak)


@app.command
def networks(model: str, *, batch: int = 64, rounds: int = 15) -> None:
    """Time the networks alone, without decoding, in turns; the ratio is that of each round."""
    with tempfile.TemporaryDirectory() as folder:
        torchs = swapmark.load(model, device="cpu")
        torchs.export(Path(folder, "model.onnx"))
        networks = (torchs.network, swapmark.load(Path(folder, "model.onnx")).network)
    squares = swapmark.draw_faces(batch, size=networks[0].image_size).images
    rates, ratios = [], []
    for _ in range(rounds + 1):
        times = [time.process_time()]
        for network in networks:
            network.find(squares)
            times.append(time.process_time())
        one, other = times[1] - times[0], times[2] - times[1]
        rates.append((batch / one, batch / other))
        ratios.append(one / other)
    medians = [round(statistics.median(found), 1) for found in zip(*rates[1:], strict=True)]
    _print(model, batch=batch, torch_images_a_second=medians[0], onnx_images_a_second=medians[1])
    print(f"ONNX is {min(ratios[1:]):.2f} to {max(ratios[1:]):.2f} times as fast.", file=sys.stderr)


@app.command
def video(model: str, film: Path, *, overlay: bool = False) -> None:
    """Time `predict` on a video, with `overlay` also `draw`."""
    detector = swapmark.load(model, device="cpu")
    began = time.perf_counter()
    points = detector.predict(film)
    if overlay:
        with tempfile.TemporaryDirectory() as folder:
            points.draw(Path(folder, "drawn.mp4"))
    rate = len(points) / (time.perf_counter() - began)
    peak = _peak_mb()
    _print(model, frames=len(points), overlay=overlay, frames_a_second=round(rate, 1), peak_mb=peak)


def _draw(folder: Path, ending: str, count: int) -> None:
    """Drawn faces as WebP of 128 px, or in photographs of 1600×1200 with some grain, as JPEG."""
    folder.mkdir()
    random = np.random.default_rng(0)
    if ending == "webp":
        faces = swapmark.draw_faces(DRAWN, size=128, clutter=True).images
    else:
        faces = [
            np.asarray(Image.fromarray(face).resize((1600, 1200), Image.Resampling.BICUBIC))
            for face in swapmark.draw_faces(DRAWN, size=512, clutter=True).images
        ]
    for number, face in enumerate(faces):
        if ending == "jpg":
            grain = random.normal(0, 6, face.shape[:2])[..., None]
            face = np.clip(face + grain, 0, 255).astype(np.uint8)
        first = folder / f"{number:05}.{ending}"
        Image.fromarray(face).save(first, quality=90)
        for copy in range(number + DRAWN, count, DRAWN):
            (folder / f"{copy:05}.{ending}").write_bytes(first.read_bytes())


def _peak_mb() -> int:
    """The most that this process held; on Linux not by getrusage, which counts its parent's too."""
    if (status := Path("/proc/self/status")).exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return round(int(line.split()[1]) / (1000 / 1.024))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (10**6 if sys.platform == "darwin" else 1000 / 1.024))


def _print(model: str, **measured) -> None:
    threads = os.environ.get("OMP_NUM_THREADS")
    print(json.dumps({"model": model, **measured, "threads": threads, **circumstances()}))


if __name__ == "__main__":
    app()
