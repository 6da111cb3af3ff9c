import numpy as np
import pytest

from swapmark.predict.network import Sight


class Spotter:
    """Stands in for a network: its one landmark is the middle of what is bright."""

    image_size, resize, landmarks, fingerprint, points = 64, "pad", 1, "", ""

    def __init__(self):
        self.batches: list[int] = []

    def find(self, squares):
        self.batches.append(len(squares))
        light = np.clip(squares.mean(axis=-1) - 140.0, 0, None) + 1e-9
        light /= light.sum(axis=(1, 2), keepdims=True)
        rows, columns = np.mgrid[: self.image_size, : self.image_size]
        xy = np.stack([(light * columns).sum(axis=(1, 2)), (light * rows).sum(axis=(1, 2))], -1)
        return xy[:, None], np.full((len(squares), 1), 0.75)

    def see(self, squares):
        return Sight(*self.find(squares), (squares.astype(np.float32),))


@pytest.fixture
def spotter() -> Spotter:
    return Spotter()


@pytest.fixture(scope="session")
def spot():
    """Draws a dark grey picture (height, width) with a bright spot at (x, y)."""

    def draw(width: int, height: int, x: float, y: float) -> np.ndarray:
        deviation = 0.05 * max(width, height)
        rows, columns = np.mgrid[:height, :width]
        values = 40 + 200 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * deviation**2))
        return np.rint(values).astype(np.uint8)

    return draw
