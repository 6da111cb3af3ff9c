"""Measure how fast `predict_video` is and how much memory it takes, as a line of JSON a case.

    OMP_NUM_THREADS=1 python benchmarks/video_speed.py COMMIT >> benchmarks/results/video.jsonl

COMMIT is that of the code at hand. Draws H.264 videos of 640×480 pixels from made-up faces and runs
an untrained detector for pictures of 64 px (the time doesn't depend on weights) on the CPU. Each
case runs in a process of its own, for its peak memory; `seconds` is the time of `predict_video`
alone, without imports.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

WIDTH, HEIGHT, RATE = 640, 480, 25
CASES = ((200, False), (4000, False), (200, True), (4000, True))
"""Frames, and whether an overlay is written."""


def draw_video(path: Path, frames: int) -> None:
    """A face that moves to and fro, another one every ten frames."""
    import av
    import numpy as np
    from PIL import Image

    import swapmark

    drawn = swapmark.draw_faces(20, size=64, seed=0).images
    faces = [np.asarray(Image.fromarray(face).resize((HEIGHT, HEIGHT))) for face in drawn]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index in range(frames):
            pixels = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
            left = int((WIDTH - HEIGHT) / 2 * (1 + np.sin(index / 20)))
            pixels[:, left : left + HEIGHT] = faces[index // 10 % len(faces)]
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def measure(video: Path, overlay: bool) -> dict:
    """One run in this process."""
    import av
    import torch

    from swapmark import predict_video
    from swapmark.model.model import ModelConfig, SwapModel
    from swapmark.predict.detector import Detector

    config = ModelConfig(image_size=64)
    detector = Detector(SwapModel(config), device="cpu")
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        found = predict_video(
            detector,
            video,
            Path(folder, "points.csv"),
            overlay=Path(folder, "drawn.mp4") if overlay else None,
        )
        seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        2**20 if sys.platform == "darwin" else 2**10
    )
    return {
        "frames": found.frames,
        "width": WIDTH,
        "height": HEIGHT,
        "image_size": config.image_size,
        "overlay": overlay,
        "seconds": round(seconds, 2),
        "frames_per_second": round(found.frames / seconds, 1),
        "peak_mib": round(peak),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "av": av.__version__,
    }


def main(arguments: list[str]) -> int:
    """Print a line for each case."""
    if len(arguments) == 3 and arguments[0] == "--measure":
        print(json.dumps(measure(Path(arguments[1]), arguments[2] == "overlay")))
        return 0
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        for frames, overlay in CASES:
            video = Path(folder, f"{frames}.mp4")
            if not video.exists():
                draw_video(video, frames)
            mode = "overlay" if overlay else "table"
            command = [sys.executable, __file__, "--measure", str(video), mode]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            print(json.dumps({"commit": arguments[0], **json.loads(done.stdout)}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
