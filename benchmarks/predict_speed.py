"""Images a second of one model in torch and as ONNX, on one thread of the CPU, as a line of JSON.

    python benchmarks/predict_speed.py RUN >> benchmarks/results/predict-speed.jsonl

Only the nets are timed (`predict_squares`), not the decoding of pictures, which both share. Seconds
are of processor time, and the two take turns in every round, so that other work on the machine
tells as little as it can; the ratio is that of each round.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before torch and onnxruntime are loaded

import numpy as np
import onnxruntime
import torch

import swapmark
from swapmark.predict.predictor import Predictor


def seconds(predictor: Predictor, squares: np.ndarray, repeats: int) -> float:
    """Seconds of processor time a batch, mean over `repeats` batches."""
    start = time.process_time()
    for _ in range(repeats):
        predictor.predict_squares(squares)
    return (time.process_time() - start) / repeats


def compare(
    torchs: Predictor, onnxs: Predictor, squares: np.ndarray, rounds: int, repeats: int
) -> dict:
    """Medians over rounds in which the two take turns, after one round that does not count."""
    times = []
    for _ in range(rounds + 1):
        times.append([seconds(predictor, squares, repeats) for predictor in (torchs, onnxs)])
    times = times[1:]
    batch = len(squares)
    ratios = sorted(one / other for one, other in times)
    return {
        "batch": batch,
        "rounds": rounds,
        "torch_images_a_second": round(batch / statistics.median(t for t, _ in times), 1),
        "onnx_images_a_second": round(batch / statistics.median(t for _, t in times), 1),
        "onnx_times_faster": round(statistics.median(ratios), 2),
        "onnx_times_faster_range": [round(ratios[0], 2), round(ratios[-1], 2)],
    }


def processor() -> str:
    """The processor as Linux names it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def main() -> int:
    """Export the run, time both, print a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        made = swapmark.export_onnx(arguments.run, Path(folder, "model.onnx"))
        half = swapmark.export_onnx(arguments.run, Path(folder, "half.onnx"), half=True)
        hub = swapmark.export_hub(arguments.run, Path(folder, "hub"))
        hub_half = swapmark.export_hub(arguments.run, Path(folder, "hub-half"), half=True)
        torchs = swapmark.load(arguments.run, device="cpu")
        onnxs = swapmark.load(made.path)
        size = torchs.image_size
        faces = swapmark.draw_faces(64, size=size).images
        speeds = [
            compare(torchs, onnxs, faces[:batch], arguments.rounds, max(1, 32 // batch))
            for batch in (1, 64)
        ]
    report = {
        "date": date.today().isoformat(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "load": [round(value, 1) for value in os.getloadavg()],
        "threads": 1,
        "torch": str(torch.__version__),
        "onnxruntime": onnxruntime.__version__,
        "python": platform.python_version(),
        "image_size": size,
        "landmarks": torchs.landmarks,
        "bytes": {
            "model": (arguments.run / "model" / "model.safetensors").stat().st_size,
            "onnx": made.size,
            "onnx_half": half.size,
            "hub": hub.size,
            "hub_half": hub_half.size,
        },
        "difference_px": made.difference,
        "difference_px_half": half.difference,
        "speeds": speeds,
    }
    print(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
