"""Pictures of two dots, and a detector that finds them."""

import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from swapmark.detector import Detector
from swapmark.page.session import Session
from swapmark.predict.network import Sight

NAMES = ("red", "green")


class Dots:
    """A network that finds the reddest and the greenest pixel, as two landmarks."""

    landmarks, image_size, resize, fingerprint, points = 2, 64, "pad", "dots", ""

    def find(self, squares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        colour = squares[..., :2].astype(float) - squares[..., [1, 0]]
        best = colour.reshape(len(squares), -1, 2).argmax(axis=1)
        xy = np.stack([best % self.image_size, best // self.image_size], axis=-1)
        return xy.astype(float), np.ones(best.shape)

    def see(self, squares: np.ndarray) -> Sight:
        blurred = squares.reshape(-1, 16, 4, 16, 4, 3).mean(axis=(2, 4))
        return Sight(*self.find(squares), (blurred.astype(np.float32),))


@pytest.fixture(scope="session")
def detector() -> Detector:
    return Detector(Dots(), "dots", Path("dots"))


@pytest.fixture(scope="session")
def dots() -> np.ndarray:
    """Where the two dots of each picture are (N, 2, 2); those of picture 5 are far apart."""
    places = np.random.default_rng(0).integers(24, 40, (12, 2, 2))
    places[5] = [(3, 60), (60, 3)]
    return places


@pytest.fixture
def photos(dots, tmp_path) -> Path:
    """The pictures of 64 x 64 pixels, and one that cannot be read, the last by name."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for index, places in enumerate(dots):
        pixels = np.zeros((64, 64, 3), np.uint8)
        for channel, (x, y) in enumerate(places):
            pixels[y, x, channel] = 255
        Image.fromarray(pixels).save(folder / f"{index:02d}.png")
    (folder / "broken.png").write_bytes(b"no picture")
    return folder


@pytest.fixture
def opened(photos, tmp_path):
    """Opens sessions on these pictures and the table marks.csv, and closes them."""
    sessions = []

    def open_session(**more) -> Session:
        sessions.append(Session(photos, tmp_path / "marks.csv", **{"names": NAMES, **more}))
        return sessions[-1]

    yield open_session
    for session in sessions:
        session.close()


@pytest.fixture(scope="session")
def settled():
    """Waits until no more is to come about a picture, and returns what is shown of it."""

    def wait(session: Session, index: int) -> dict:
        for _ in range(600):
            picture = session.picture(index)
            if not picture["busy"]:
                return picture
            time.sleep(0.02)
        raise TimeoutError(f"more is still to come of picture {index}")

    return wait


@pytest.fixture(scope="session")
def mark(dots):
    """Marks both dots of a picture."""

    def put(session: Session, index: int) -> None:
        session.picture(index)
        session.put(index, dots[index].tolist(), [False, False])

    return put
