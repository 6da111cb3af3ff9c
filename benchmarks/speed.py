"""How fast does a model find landmarks? Lines of JSON for benchmarks/results.

OMP_NUM_THREADS=1 python benchmarks/speed.py images faces           # torch against ONNX
OMP_NUM_THREADS=1 python benchmarks/speed.py video faces film.mp4   # and the memory it takes
"""

import json
import os
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

from cyclopts import App

import swapmark
from harness.machine import circumstances

app = App(help=__doc__, help_format="plaintext")


@app.command
def images(model: str, *, batch: int = 64, rounds: int = 15) -> None:
    """Time the networks alone, without decoding, in turns; the ratio is that of each round.

    Seconds are of processor time, so that other work on the machine tells little.
    """
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
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    mib = round(peak / (2**20 if sys.platform == "darwin" else 2**10))
    _print(model, frames=len(points), overlay=overlay, frames_a_second=round(rate, 1), peak_mib=mib)


def _print(model: str, **measured) -> None:
    threads = os.environ.get("OMP_NUM_THREADS")
    print(json.dumps({"model": model, **measured, "threads": threads, **circumstances()}))


if __name__ == "__main__":
    app()
