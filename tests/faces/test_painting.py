from copy import copy

import numpy as np
import pytest
from PIL import Image

from swapmark.coordinates import unit_to_pixels
from swapmark.faces.face import Face
from swapmark.faces.painting import (
    LANDMARK_NAMES,
    Part,
    face_landmarks,
    face_parts,
    paint,
    photograph,
)

FACES = [Face(np.random.default_rng(seed)) for seed in range(24)]
BLACK = Image.new("RGB", (1, 1))


def painted(face, name, size):
    """Only this part, white on black: (size, size) in [0, 1]."""
    parts = [part._replace(colour=(255,) * 3) for part in face_parts(face) if part.name == name]
    return np.asarray(paint(parts, size, BLACK))[..., 0] / 255


@pytest.mark.parametrize(
    ("part", "landmark"),
    [("pupil_left", "left_eye"), ("pupil_right", "right_eye"), ("nose_tip", "nose")],
)
def test_what_is_drawn_round_a_landmark_is_centred_on_it(part, landmark):
    for face in FACES:
        weight = painted(face, part, 64)
        y, x = np.mgrid[:64, :64]
        drawn = np.array([(weight * x).sum(), (weight * y).sum()]) / weight.sum()
        expected = unit_to_pixels(face_landmarks(face), 64)[LANDMARK_NAMES.index(landmark)]
        assert np.linalg.norm(drawn - expected) < 0.1  # pixels of a 64 px image


def test_the_mouth_ends_at_its_landmarks():
    for face in FACES:
        y, x = np.nonzero(painted(face, "mouth", 1024) > 0.5)
        left, right = unit_to_pixels(face_landmarks(face), 1024)[3:]
        pixels = np.stack([x, y], axis=-1)
        along = pixels @ (right - left)
        ends = pixels[[along.argmin(), along.argmax()]]
        assert np.linalg.norm(ends - [left, right], axis=-1).max() < 6  # of 1024, so 0.4 of 64


def test_later_parts_cover_earlier_ones_and_edges_are_smooth():
    square = np.array([[-1.0, -1], [0.03, -1], [0.03, 1], [-1, 1]])
    parts = [Part("under", square, (0, 0, 250)), Part("over", square * [1, 0.5], (250, 0, 0))]
    image = np.asarray(paint(parts, 32, BLACK))
    assert image[16, 4].tolist() == [250, 0, 0]
    assert image[2, 4].tolist() == [0, 0, 250]
    assert 0 < image[16, 16, 0] < 250


def test_hair_and_glasses_are_drawn_only_where_the_face_has_them():
    bare, dressed = copy(FACES[0]), copy(FACES[0])
    bare.hair, bare.glasses, bare.beard = "none", False, False
    dressed.hair, dressed.glasses, dressed.beard = "long", True, True
    names, more = ({part.name for part in face_parts(face)} for face in (bare, dressed))
    assert more - names == {
        "hair", "hair_behind", "hair_shine", "beard", "rim_left", "rim_right", "rim_bridge",
    }  # fmt: skip


def test_light_falls_from_the_face_s_side():
    grey = Image.new("RGB", (32, 32), (128,) * 3)
    for face in FACES[:20]:
        columns = photograph(grey, face, np.random.default_rng(3)).mean(axis=(0, 2))
        assert np.sign(columns[-4:].mean() - columns[:4].mean()) == face.light
