import csv
import zipfile

import numpy as np
import pytest
from PIL import Image

from swapmark.coordinates import pixels_to_unit
from swapmark.errors import InputError, OutputError
from swapmark.faces.drawn import draw_face, draw_faces, save_faces


def test_an_image_is_the_same_whatever_the_count_and_the_order():
    many = draw_faces(60, size=16, seed=4)
    assert len(many) == len(many.points) == len(set(many.points.files)) == 60
    for index in (5, 2, 0):
        image, xy = draw_face(index, size=16, seed=4)
        np.testing.assert_array_equal(image, many.images[index])
        np.testing.assert_array_equal(xy, many.points.xy[index])
    assert draw_faces(17, size=16).points.split == many.points.split[:17]


@pytest.mark.parametrize(("clutter", "mean"), [(False, 133.104), (True, 127.434)])
def test_faces_stay_as_they_are_for_published_results_depend_on_them(clutter, mean):
    faces = draw_faces(20, size=64, seed=3, clutter=clutter)
    assert faces.images.mean() == pytest.approx(mean, abs=0.01)
    expected = [18.6, 36.123, 35.399, 34.334, 26.074, 41.187, 21.49, 51.724, 38.172, 49.947]
    assert faces.points.xy[7].ravel() == pytest.approx(expected, abs=0.001)


def test_another_seed_gives_other_faces():
    first, second = draw_faces(2, seed=1), draw_faces(2, seed=2)
    assert abs(first.points.xy - second.points.xy).max() > 1
    assert abs(first.images.astype(int) - second.images).mean() > 10


@pytest.mark.parametrize("clutter", [False, True])
def test_a_face_is_the_same_at_every_size(clutter):
    for index in range(5):
        small, small_xy = draw_face(index, size=64, clutter=clutter)
        large, large_xy = draw_face(index, size=256, clutter=clutter)
        np.testing.assert_allclose(
            pixels_to_unit(small_xy, 64), pixels_to_unit(large_xy, 256), atol=1e-12
        )
        shrunk = np.asarray(Image.fromarray(large).reduce(4), float)
        assert abs(shrunk - small).mean() < 8  # blur and noise are those of the pixels


def test_the_mean_shape_is_a_poor_guess_and_the_nose_moves_against_the_eyes():
    xy = draw_faces(120, size=16).points.xy
    distances = np.linalg.norm(xy - xy.mean(axis=0), axis=-1).mean(axis=1)
    eyes = np.linalg.norm(xy[:, 0] - xy[:, 1], axis=-1)
    assert 0.15 < (distances / eyes).mean() < 0.25
    assert (xy[:, 0, 0] < xy[:, 1, 0]).all(), "left is the image's left"
    assert (xy[:, 3, 0] < xy[:, 4, 0]).all()
    sideways = xy[:, 2, 0] - xy[:, :2, 0].mean(axis=1)
    assert sideways.std() > 0.08 * eyes.mean()


def test_clutter_leaves_the_landmarks_alone():
    plain, busy = draw_faces(3), draw_faces(3, clutter=True)
    np.testing.assert_array_equal(plain.points.xy, busy.points.xy)
    assert (plain.images != busy.images).mean() > 0.3


@pytest.mark.parametrize(
    ("fit", "test", "expected"),
    [(0.1, 0.1, (2, 2)), (0.25, 0.5, (5, 10)), (0.0, 0.0, (0, 0)), (0.0, 1.0, (0, 20))],
)
def test_splits_have_their_shares(fit, test, expected):
    split = draw_faces(20, size=16, fit=fit, test=test).points.split
    assert (split.count("fit"), split.count("test")) == expected
    assert set(split) <= {"train", "fit", "test"}


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"count": 0}, "count is 0"),
        ({"size": 8}, "size is 8"),
        ({"fit": -0.1}, "fit=-0.1"),
        ({"fit": 0.6, "test": 0.6}, "test=0.6"),
    ],
)
def test_arguments_out_of_range_are_named(wrong, named):
    with pytest.raises(InputError, match=named):
        draw_faces(**{"count": 1, **wrong})


def test_a_folder_and_a_zip_hold_the_same_files_and_the_same_faces_give_the_same_zip(tmp_path):
    faces = draw_faces(10, size=16)
    folder = save_faces(faces, tmp_path / "faces")
    zipped = save_faces(faces, tmp_path / "faces.zip")
    with zipfile.ZipFile(zipped) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    assert set(contents) == {"marks.csv", *faces.points.files}
    for name, data in contents.items():
        assert (folder / name).read_bytes() == data
    for name, image in zip(faces.points.files, faces.images, strict=True):
        with Image.open(folder / name) as saved:
            np.testing.assert_array_equal(np.asarray(saved), image)
    again = save_faces(draw_faces(10, size=16), tmp_path / "again.zip")
    assert zipped.read_bytes() == again.read_bytes()


def test_the_table_has_coordinates_for_fit_and_test_only(tmp_path):
    faces = draw_faces(20, size=16)
    place = save_faces(faces, tmp_path / "faces")
    with (place / "marks.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    points = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
    assert header == ["file", "split", *(f"{name}_{axis}" for name in points for axis in "xy")]
    assert [row[1] for row in rows] == list(faces.points.split)
    for row, points in zip(rows, faces.points.xy, strict=True):
        if row[1] == "train":
            assert row[2:] == [""] * 10
        else:
            assert [float(cell) for cell in row[2:]] == [round(x, 2) for x in points.ravel()]


@pytest.mark.parametrize("name", ["faces", "faces.zip"])
def test_what_is_there_is_replaced_only_on_request(tmp_path, name):
    place = save_faces(draw_faces(5, size=16), tmp_path / name)
    if place.is_dir():
        (place / "images" / "holiday.jpg").write_bytes(b"mine")
    with pytest.raises(InputError, match="overwrite=True"):
        save_faces(draw_faces(2, size=16), place)
    save_faces(draw_faces(2, size=16), place, overwrite=True)
    if place.is_dir():
        there = sorted(path.name for path in (place / "images").iterdir())
        assert there == ["face-00000.png", "face-00001.png", "holiday.jpg"]
    else:
        with zipfile.ZipFile(place) as archive:
            assert len(archive.namelist()) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]


@pytest.mark.parametrize("name", ["faces.zip", "faces"])
def test_a_place_that_cannot_be_written_is_told(tmp_path, name):
    (tmp_path / "file").write_text("text")
    with pytest.raises(OutputError, match=name):
        save_faces(draw_faces(1, size=16), tmp_path / "file" / name)


def test_a_folder_named_zip_and_a_file_named_as_a_folder_are_refused(tmp_path):
    (tmp_path / "folder.zip").mkdir()
    (tmp_path / "file").write_text("text")
    for name in ("folder.zip", "file"):
        with pytest.raises(InputError, match=name):
            save_faces(draw_faces(1, size=16), tmp_path / name, overwrite=True)
    assert (tmp_path / "file").read_text() == "text"
