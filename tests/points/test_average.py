"""Pictures warped to the mean shape: a drawn thing, turned and shifted, comes to lie on itself."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from swapmark.errors import InputError
from swapmark.points.table import Points

SIDE = 64
TRIANGLE = np.array([[-14.0, 10], [14, 10], [2, -16], [0, 0]])


def drawn(angle: float, size: float, side=(SIDE, SIDE)):
    """A white triangle on dark grey, and its corners and middle."""
    cosine, sine = np.cos(angle), np.sin(angle)
    centre = (np.array(side) - 1) / 2 + 5 * np.array([sine, cosine])
    xy = size * TRIANGLE @ np.array([[cosine, sine], [-sine, cosine]]) + centre
    picture = Image.new("RGB", side, (40, 40, 40))
    ImageDraw.Draw(picture).polygon([tuple(at) for at in xy[:3]], fill=(255, 255, 255))
    return np.asarray(picture), xy


@pytest.fixture
def triangles():
    pairs = [drawn(angle, 1 + angle / 3) for angle in np.linspace(-0.6, 0.6, 9)]
    pictures, xy = map(list, zip(*pairs, strict=True))
    files = tuple(f"array-{row}" for row in range(9))
    return pictures, Points(tuple("abcd"), files, np.array(xy), source=pictures)


def test_the_average_of_warped_pictures_is_as_sharp_as_each(triangles):
    pictures, points = triangles
    warped = points.warp_to_mean(size=SIDE)
    assert warped.pictures.shape == (9, SIDE, SIDE, 3)
    assert warped.pictures.dtype == np.uint8
    assert warped.files == points.files

    def unsure(picture) -> float:
        return float(((picture > 80) & (picture < 215)).mean())

    assert unsure(warped.average) < 0.03 < 0.08 < unsure(warped.plain_average)
    assert np.abs(warped.plain_average - np.mean(pictures, axis=0)).max() <= 1


def test_a_single_picture_stays_as_it_is(triangles):
    pictures, points = triangles
    warped = points.take([0]).warp_to_mean(size=SIDE)
    assert np.abs(warped.average.astype(int) - pictures[0]).max() <= 1


def test_other_sizes_missing_points_and_what_cannot_be_read(triangles, tmp_path):
    pictures, points = triangles
    large, xy = drawn(0.1, 2.5, side=(200, 120))
    xy = np.concatenate([points.xy, xy[None]])
    xy[1, 3], xy[2, 1:] = np.nan, np.nan
    for name, picture in zip("0123456789", [*pictures, large], strict=True):
        Image.fromarray(picture).save(tmp_path / f"{name}.png")
    (tmp_path / "5.png").write_bytes(b"damaged")
    points = Points(points.names, tuple(f"{row}.png" for row in range(10)), xy)
    warped = points.warp_to_mean(tmp_path, size=SIDE)
    assert [entry.file for entry in warped.left_out] == ["2.png"]
    assert warped.files == tuple(f"{row}.png" for row in (0, 1, 3, 4, 6, 7, 8, 9))
    white = (warped.pictures > 200).all(axis=-1).mean(axis=(1, 2))
    assert np.ptp(white) < 0.15 * white.mean()  # areas differed nine times


@pytest.mark.parametrize(
    ("images", "size", "told"), [(None, 64, "images="), ("its", 3, "size is 3")]
)
def test_what_cannot_be_warped_is_refused(triangles, images, size, told):
    pictures, points = triangles
    points = Points(points.names, points.files, points.xy)
    with pytest.raises(InputError, match=told):
        points.warp_to_mean(images and pictures, size=size)
