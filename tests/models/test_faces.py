"""The face model that comes with the package: small, documented, at home on faces."""

from dataclasses import replace

import numpy as np
import pytest
from huggingface_hub import ModelCard

from swapmark import draw_faces, load
from swapmark.predict.find import BUILT_IN
from swapmark.specimens.evaluate import evaluate


@pytest.fixture(scope="module")
def detector():
    return load("faces", device="cpu")


def test_it_is_small_and_its_card_names_the_terms_of_its_data():
    folder = BUILT_IN / "faces"
    assert (folder / "model.safetensors").stat().st_size <= 8 * 2**20
    card = ModelCard.load(folder / "README.md")
    assert (card.data.license, card.data.library_name) == ("other", "swapmark")
    for words in ("CelebA", "non-commercial research", "Where it fails", "swapmark evaluate faces"):
        assert words in card.text


def test_its_landmarks_predict_the_points_of_faces_it_never_saw_the_like_of(detector):
    """Drawn faces: it was trained on photographs alone."""
    faces = draw_faces(200, size=64, seed=3, fit=0.7, test=0.3)
    found = replace(detector.predict(faces.images), files=faces.points.files)
    result = evaluate(found, faces.points, bootstrap=2, draws=0)
    assert found.xy.shape == (200, 10, 2)
    assert result.forward["centred"].nme < 0.6 * result.mean_shape.nme


def test_its_landmarks_follow_a_face_that_is_shifted(detector):
    images = draw_faces(8, size=64, seed=4).images
    moved = np.roll(images, (3, 4), axis=(1, 2))
    shift = detector.predict(moved).xy - detector.predict(images).xy
    assert np.abs(np.median(shift, axis=(0, 1)) - (4, 3)).max() < 0.5
