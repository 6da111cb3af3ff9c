"""From pictures of any size to `Landmarks`: the part of prediction that no framework has a say in.

Nothing here imports torch, so that an ONNX file predicts where torch is not installed.
"""

from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np

from swapmark.data.decoding import stream_images, track
from swapmark.data.items import Skipped
from swapmark.data.pixels import ImageProblem
from swapmark.data.sources import Source, list_with_unread
from swapmark.errors import InputError
from swapmark.specimens.point_map import PointMap, find_point_map
from swapmark.types import Landmarks


class Predictor(ABC):
    """What finds landmarks in squares, and so in pictures; made by `swapmark.load`."""

    fit: str
    """How pictures become square: `pad` or `crop` (see `swapmark.data.images.Frame`)."""
    folder: Path | None = None
    """The run, in which point maps are looked for; None where the model is no folder."""

    @property
    @abstractmethod
    def landmarks(self) -> int:
        """K, the number of landmarks."""

    @property
    @abstractmethod
    def image_size(self) -> int:
        """Side of the square the model sees, in pixels."""

    @abstractmethod
    def predict_squares(self, squares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Landmarks (B, K, 2), in pixels of the squares, and their confidence (B, K).

        `squares` are uint8 (B, image_size, image_size, 3).
        """

    def predict(
        self,
        source: Source,
        *,
        batch_size: int = 64,
        workers: int | None = None,
        progress: bool = False,
        points: str | PointMap | None = None,
    ) -> Landmarks:
        """Find the landmarks in every image of a folder, zip, tar, file, list, or array.

        Images are decoded in parallel, a few batches ahead; those that cannot be read are listed
        in `.skipped` of the result. With `points`, the name that `swapmark fit` was given or the
        `.map` that it returned, the result holds the user's named points instead of the landmarks.
        Raises InputError when no image can be used, and RunError when there is no such point map.
        """
        if points is not None:
            point_map = find_point_map(self.folder, points)
            landmarks = self.predict(
                source, batch_size=batch_size, workers=workers, progress=progress
            )
            return point_map.apply(landmarks)
        if batch_size < 1:
            raise InputError(f"batch_size is {batch_size}; expected at least 1.")
        items, unread = list_with_unread(source)
        found, confidences, names, sizes = [], [], [], []
        skipped: list[Skipped] = []
        squares, frames = [], []

        def flush() -> None:
            if squares:
                xy, confidence = self.predict_squares(np.stack(squares))
                found.extend(frame.to_original(p) for frame, p in zip(frames, xy, strict=True))
                confidences.extend(confidence)
                squares.clear()
                frames.clear()

        stream = stream_images(items, self.image_size, fit=self.fit, workers=workers)
        for item, result in track(stream, len(items), "Finding landmarks", show=progress):
            if isinstance(result, ImageProblem):
                skipped.append(Skipped(item.name, str(result)))
                continue
            square, frame = result
            squares.append(square)
            frames.append(frame)
            names.append(item.name)
            sizes.append((frame.width, frame.height))
            if len(squares) == batch_size:
                flush()
        flush()
        skipped += unread
        if not found:
            reasons = "; ".join(f"{entry.file}: {entry.reason}" for entry in skipped[:3])
            raise InputError(f"None of the {len(skipped)} images can be used ({reasons}).")
        return Landmarks(
            xy=np.stack(found),
            confidence=np.stack(confidences),
            paths=tuple(names),
            sizes=np.array(sizes),
            skipped=tuple(skipped),
        )
