import numpy as np
from PIL import Image

from swapmark.faces.face_variety import (
    cluttered_background,
    photograph,
    plain_background,
    random_face,
)

FACES = [random_face(np.random.default_rng(seed)) for seed in range(300)]


def test_every_kind_of_face_turns_up():
    assert {face.hair for face in FACES} == {"short", "long", "none"}
    for flag in ("glasses", "beard"):
        assert {getattr(face, flag) for face in FACES} == {True, False}
    assert min(face.mouth_open for face in FACES) == 0 < max(face.mouth_open for face in FACES)
    assert {face.light for face in FACES} == {-1.0, 1.0}


def test_faces_look_both_ways_and_never_so_far_that_an_eye_is_lost():
    yaw = np.array([face.yaw for face in FACES])
    assert yaw.min() < -0.4
    assert yaw.max() > 0.4
    assert abs(yaw).max() < 0.6


def test_skins_are_light_and_dark():
    lightness = [sum(face.skin) / 3 for face in FACES]
    assert min(lightness) < 80
    assert max(lightness) > 200


def test_clutter_is_busier_than_a_plain_background():
    def busyness(background):
        pixels = np.asarray(background.resize((64, 64), Image.Resampling.BILINEAR), float)
        return abs(np.diff(pixels, axis=0)).mean() + abs(np.diff(pixels, axis=1)).mean()

    for seed in range(10):
        plain, busy = (
            busyness(draw(np.random.default_rng(seed)))
            for draw in (plain_background, cluttered_background)
        )
        assert busy > 4 * plain


def test_light_falls_from_the_face_s_side():
    grey = Image.new("RGB", (32, 32), (128,) * 3)
    for face in FACES[:20]:
        columns = photograph(grey, face, np.random.default_rng(3)).mean(axis=(0, 2))
        assert np.sign(columns[-4:].mean() - columns[:4].mean()) == face.light
