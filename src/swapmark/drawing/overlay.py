"""A video of frames with their landmarks drawn over them, written as the frames come."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from swapmark.data.video import import_av
from swapmark.drawing.draw import draw_landmarks
from swapmark.errors import InputError, OutputError
from swapmark.files import writing

CONTAINERS = {".mkv": "matroska", ".mov": "mov", ".mp4": "mp4"}
"""Endings of overlay videos, and what FFmpeg calls their formats."""
USUAL_RATE = Fraction(25)
"""Frames a second where the source does not say."""
MPEG4_TICKS = 65535
"""The finest clock of MPEG-4 part 2, in ticks a second."""


def check_overlay_name(path: Path) -> None:
    """Raise InputError if no overlay video can be written under this name.

    >>> check_overlay_name(Path("drawn.mp4"))
    """
    if path.suffix.lower() not in CONTAINERS:
        raise InputError(
            f"{path} has the ending {path.suffix!r}; an overlay video is written as one of "
            f"{', '.join(CONTAINERS)}."
        )


class OverlayVideo:
    """Draws landmarks over frames and encodes them as H.264, or as MPEG-4 where that is missing.

    The first frame sets the size; later ones of another size are scaled into it, borders added.
    An odd side gets one more row or column, the repeated last one: the pixel format needs it.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "drawn.mp4"
    >>> with OverlayVideo(path, ".mp4", frame_rate=Fraction(5), time_base=None) as video:
    ...     for index in range(3):
    ...         frame = np.zeros((48, 64, 3), np.uint8)
    ...         video.add(frame, index / 5, np.array([[10.0, 20.0]]), np.ones(1))
    >>> path.stat().st_size > 0
    True
    """

    def __init__(
        self, path: Path, ending: str, *, frame_rate: Fraction | None, time_base: Fraction | None
    ):
        """Open `path` for writing in the format of `ending`; times are multiples of `time_base`."""
        self.av = import_av()
        self.path = path
        self.rate = frame_rate or USUAL_RATE
        self.encoder = "libx264" if "libx264" in self.av.codecs_available else "mpeg4"
        self.time_base = time_base or 1 / self.rate
        if self.encoder == "mpeg4" and self.time_base.denominator > MPEG4_TICKS:
            self.time_base = Fraction(1, 60000)
        with writing(path):
            self.container = self.av.open(str(path), "w", format=CONTAINERS[ending.lower()])
        self.stream: Any = None
        self.size = (0, 0)
        self.tick: int | None = None

    def __enter__(self) -> "OverlayVideo":
        return self

    def __exit__(self, kind, *_) -> None:
        if kind is None and self.stream is not None:
            self._encode(None)
        with writing(self.path):
            self.container.close()

    def add(
        self, pixels: np.ndarray, time: float | None, xy: np.ndarray, confidence: np.ndarray
    ) -> None:
        """Draw K landmarks over a frame and encode it, shown from `time` (seconds) on.

        pixels: uint8 (H, W, 3). xy: (K, 2) in its pixels. confidence: (K,) in [0, 1]; unsure
        landmarks are see-through. Without a time, or with one that goes back, the frame follows
        the one before it. Raises OutputError if the video cannot be written.
        """
        drawn = draw_landmarks(pixels, xy, confidence=confidence, scale=1)
        if self.stream is None:
            self._start(drawn.shape[1], drawn.shape[0])
        if drawn.shape[1::-1] != self.size:
            drawn = np.asarray(ImageOps.pad(Image.fromarray(drawn), self.size))
        odd = ((0, drawn.shape[0] % 2), (0, drawn.shape[1] % 2), (0, 0))
        frame = self.av.VideoFrame.from_ndarray(np.pad(drawn, odd, mode="edge"), format="rgb24")
        frame.pts, frame.time_base = self._next_tick(time), self.time_base
        self._encode(frame)

    def _start(self, width: int, height: int) -> None:
        options = {"crf": "18", "preset": "veryfast"} if self.encoder == "libx264" else {}
        self.stream = self.container.add_stream(self.encoder, rate=self.rate, options=options)
        self.stream.width, self.stream.height = width + width % 2, height + height % 2
        self.stream.pix_fmt = "yuv420p"
        self.stream.codec_context.time_base = self.time_base
        if self.encoder == "mpeg4":
            self.stream.bit_rate = 4 * width * height * int(max(1, self.rate)) // 16
        self.size = (width, height)

    def _next_tick(self, time: float | None) -> int:
        step = max(1, round(1 / (self.rate * self.time_base)))
        following = 0 if self.tick is None else self.tick + step
        tick = following if time is None else round(time / self.time_base)
        if self.tick is not None and tick <= self.tick:
            tick = self.tick + 1
        self.tick = tick
        return tick

    def _encode(self, frame) -> None:
        with writing(self.path):
            try:
                self.container.mux(self.stream.encode(frame))
            except self.av.FFmpegError as error:
                if isinstance(error, OSError):
                    raise
                raise OutputError(f"{self.path} cannot be encoded: {error.strerror}") from error
