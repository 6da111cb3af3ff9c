"""A video of pictures, written as they come."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from swapmark.data.video import import_av
from swapmark.errors import OutputError
from swapmark.files import writing

CONTAINERS = {".mkv": "matroska", ".mov": "mov", ".mp4": "mp4"}
"""Endings of the videos that are written, and what FFmpeg calls their formats."""
CLOCK = Fraction(1, 60000)
"""Seconds; the usual frame rates are multiples, and MPEG-4 has no finer one than 1/65535."""


class Film:
    """Encodes pictures as H.264, or as MPEG-4 where that is missing.

    The first picture sets the size; later ones of another size are scaled into it, borders added.
    Sides are even, as the pixel format needs it: the last row or column of an odd one is cut off.
    """

    def __init__(self, path: Path, ending: str, frame_rate: Fraction):
        """Open `path` for writing in the format of `ending`, about `frame_rate` a second."""
        self.av = import_av()
        self.path = path
        self.rate = frame_rate
        with writing(path):
            self.container = self.av.open(str(path), "w", format=CONTAINERS[ending.lower()])
        self.stream: Any = None
        self.size = (0, 0)
        self.tick: int | None = None

    def __enter__(self) -> "Film":
        return self

    def __exit__(self, kind, *_) -> None:
        if kind is None and self.stream is not None:
            self._encode(None)
        with writing(self.path):
            self.container.close()

    def add(self, pixels: np.ndarray, time: float) -> None:
        """Encode a picture, uint8 (H, W, 3), shown from `time` (seconds) on.

        With a time that goes back, it follows the one before it at once. Raises OutputError if the
        video cannot be written.
        """
        pixels = pixels[: pixels.shape[0] // 2 * 2, : pixels.shape[1] // 2 * 2]
        if self.stream is None:
            self._start(pixels.shape[1], pixels.shape[0])
        if pixels.shape[1::-1] != self.size:
            pixels = np.asarray(ImageOps.pad(Image.fromarray(pixels), self.size))
        frame = self.av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        tick = round(time / CLOCK)
        self.tick = tick if self.tick is None else max(tick, self.tick + 1)
        frame.pts, frame.time_base = self.tick, CLOCK
        self._encode(frame)

    def _start(self, width: int, height: int) -> None:
        h264 = "libx264" in self.av.codecs_available
        options = {"crf": "18", "preset": "veryfast"} if h264 else {}
        encoder = "libx264" if h264 else "mpeg4"
        self.stream = self.container.add_stream(encoder, rate=self.rate, options=options)
        self.stream.width, self.stream.height = self.size = width, height
        self.stream.pix_fmt = "yuv420p"
        self.stream.codec_context.time_base = CLOCK
        if not h264:
            self.stream.bit_rate = 4 * width * height * int(max(1, self.rate)) // 16

    def _encode(self, frame) -> None:
        with writing(self.path):
            try:
                self.container.mux(self.stream.encode(frame))
            except self.av.FFmpegError as error:
                if isinstance(error, OSError):
                    raise
                raise OutputError(f"{self.path} cannot be encoded: {error.strerror}") from error
