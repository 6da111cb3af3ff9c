"""Landmarks in original pixels: a stub model finds a bright spot whose place is known."""

import io

import numpy as np
import pytest
from PIL import Image

from swapmark.data.items import Item
from swapmark.errors import InputError
from swapmark.model.landmark_encoder import Pose
from swapmark.model.model import ModelConfig, SwapModel
from swapmark.predict.detector import Detector

SIZE = 64
TURNS = {2: "mirrored", 3: "half", 4: "flipped", 5: "transposed", 6: "right", 7: "both", 8: "left"}


class SpotModel(SwapModel):
    """Finds the bright spot in the picture; its one landmark is the spot's middle."""

    def __init__(self):
        small = {"landmark_width": 4, "appearance_width": 4, "decoder_width": 4}
        super().__init__(ModelConfig(1, SIZE, "plain", 2, **small))
        self.batches: list[int] = []

    def pose(self, images) -> Pose:
        self.batches.append(len(images))
        bright = (images.mean(dim=1, keepdim=True) - 0.35).clamp_min(0) + 1e-9
        return self.landmark_encoder.pose(bright / bright.sum(dim=(2, 3), keepdim=True))


@pytest.fixture
def detector() -> Detector:
    return Detector(SpotModel(), device="cpu")


def spot(width: int, height: int, x: float, y: float) -> np.ndarray:
    """A dark grey picture (height, width) with a bright spot at (x, y)."""
    deviation = 0.05 * max(width, height)
    rows, columns = np.mgrid[:height, :width]
    values = 40 + 200 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * deviation**2))
    return np.rint(values).astype(np.uint8)


def encoded(pixels: np.ndarray, kind: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


@pytest.fixture
def turned(turn):
    """Makes a JPEG that is stored so that readers who obey its EXIF tag see `pixels`."""

    def jpeg(pixels: np.ndarray, orientation: int) -> bytes:
        stored, exif = turn(orientation, Image.fromarray(pixels))
        file = io.BytesIO()
        stored.save(file, "JPEG", quality=95, exif=exif)
        return file.getvalue()

    return jpeg


def items(*contents: bytes | np.ndarray) -> list[Item]:
    return [
        Item(f"{index}.png", "", lambda content=content: content)
        for index, content in enumerate(contents)
    ]


@pytest.mark.parametrize(
    ("width", "height", "x", "y"),
    [(64, 64, 20, 40), (200, 100, 150.5, 30), (90, 240, 25, 200.25), (40, 30, 9, 21)],
)
@pytest.mark.parametrize("fit", ["pad", "crop"])
def test_landmarks_are_in_pixels_of_the_original(width, height, x, y, fit):
    if fit == "crop" and width != height:  # the spot has to lie in the middle square
        x, y = (width - 1) / 2 + 0.1 * height, (height - 1) / 2 - 0.1 * width
    found = Detector(SpotModel(), fit=fit, device="cpu").predict(items(spot(width, height, x, y)))
    assert found.sizes.tolist() == [[width, height]]
    assert np.abs(found.xy[0, 0] - (x, y)).max() < 0.5


@pytest.mark.parametrize("orientation", TURNS, ids=TURNS.values())
def test_landmarks_are_in_pixels_of_the_upright_image(detector, turned, orientation):
    found = detector.predict(items(turned(spot(200, 120, 150, 40), orientation)))
    assert found.sizes.tolist() == [[200, 120]]
    assert np.abs(found.xy[0, 0] - (150, 40)).max() < 0.5


def test_a_large_jpeg_that_is_decoded_at_a_fraction_keeps_its_pixels(detector, turned):
    found = detector.predict(items(turned(spot(1501, 1003, 1200, 333), 6)))
    assert found.sizes.tolist() == [[1501, 1003]]
    assert np.abs(found.xy[0, 0] - (1200, 333)).max() < 1.5  # the model sees 23 pixels as one


def test_grey_transparent_and_colour_images_give_the_same(detector):
    grey = spot(100, 80, 60, 30)
    colour = np.stack([grey] * 3, axis=-1)
    opaque = np.dstack([colour, np.full(grey.shape, 255, np.uint8)])
    found = detector.predict(items(encoded(grey), encoded(colour), encoded(opaque), colour))
    assert np.allclose(found.xy, found.xy[:1], atol=1e-4)
    assert np.abs(found.xy - (60, 30)).max() < 0.5


def test_the_result_does_not_depend_on_the_batch_size():
    random = np.random.default_rng(0)
    pictures = [
        spot(w, h, w * random.uniform(0.3, 0.7), h * random.uniform(0.3, 0.7))
        for w, h in random.integers(40, 200, (7, 2)).tolist()
    ]
    model = SpotModel()
    detector = Detector(model, device="cpu")
    results = [detector.predict(items(*pictures), batch_size=size) for size in (1, 3, 64)]
    assert model.batches == [1] * 7 + [3, 3, 1] + [7]
    for found in results[1:]:
        assert found.paths == results[0].paths
        assert np.allclose(found.xy, results[0].xy, atol=1e-3)
        assert np.allclose(found.confidence, results[0].confidence, atol=1e-5)


def test_skipped_images_are_listed_and_the_others_keep_their_names(detector):
    good = [encoded(spot(60, 60, 10 + 20 * index, 30)) for index in range(3)]
    found = detector.predict(items(good[0], b"", good[1], good[2][:40], good[2]), batch_size=2)
    assert found.paths == ("0.png", "2.png", "4.png")
    assert found.xy[:, 0, 0] == pytest.approx([10, 30, 50], abs=0.5)
    assert [(entry.file, bool(entry.reason)) for entry in found.skipped] == [
        ("1.png", True),
        ("3.png", True),
    ]


def test_when_no_image_can_be_used_the_reasons_are_told(detector):
    with pytest.raises(InputError, match=r"None of the 2 images .*0\.png: the file is empty"):
        detector.predict(items(b"", b"no image"))


def test_images_come_from_folders_files_lists_and_arrays(detector, tmp_path):
    picture = spot(80, 60, 30, 20)
    Image.fromarray(picture).save(tmp_path / "a.png")
    sources = [tmp_path, tmp_path / "a.png", [tmp_path / "a.png"], [picture], picture[None]]
    for source in sources:
        found = detector.predict(source)
        assert np.abs(found.xy[0, 0] - (30, 20)).max() < 0.5


def test_confidence_lies_between_nothing_and_one(detector):
    sharp = spot(64, 64, 32, 32)
    two = np.maximum(spot(64, 64, 6, 32), spot(64, 64, 58, 32))
    confidence = detector.predict(items(sharp, two)).confidence[:, 0]
    assert 0 <= confidence[1] < 0.3 < 0.7 < confidence[0] <= 1


@pytest.mark.parametrize("batch_size", [0, -1])
def test_a_batch_of_nothing_is_refused(detector, batch_size):
    with pytest.raises(InputError, match="batch_size is"):
        detector.predict(items(spot(64, 64, 1, 1)), batch_size=batch_size)


def test_squares_are_answered_in_their_own_pixels(detector):
    squares = np.stack([np.stack([spot(SIZE, SIZE, x, 20)] * 3, axis=-1) for x in (12.0, 47.0)])
    xy, confidence = detector.predict_squares(squares)
    assert xy[:, 0] == pytest.approx(np.array([[12, 20], [47, 20]]), abs=0.3)
    assert confidence.shape == (2, 1)
