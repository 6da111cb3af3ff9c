"""From a run and marked faces to a table with the user's names, by commands."""

import csv
import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

import swapmark
from swapmark.cli import main

NAMES = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")


@pytest.fixture
def run(tiny_run, tmp_path):
    """A copy of the tiny run, to put point maps into."""
    return shutil.copytree(tiny_run.path, tmp_path / "run")


def fit(run, annotated, *more: str, out: str = "face") -> int:
    return main(["fit", str(run), str(annotated), "--out", out, "--draws", "2", "--quiet", *more])


def predicted(run, source, name: str = "face"):
    return swapmark.load(run, device="cpu", points=name).predict(source)


def test_fitted_points_are_written_by_predict_under_their_own_names(
    run, marked, faces, tmp_path, capsys
):
    marked = shutil.copy(marked, tmp_path)
    look = tmp_path / "marks.png"  # beside the archive of the images
    assert fit(run, marked, "--overlay", str(look)) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "5 points" in printed
    assert f"swapmark predict {run} IMAGES --points face --out face-points.csv" in printed
    with Image.open(look) as sheet:
        drawn = np.asarray(sheet).astype(int)
    assert (np.ptp(drawn, axis=-1) > 120).any(), "coloured dots and crosses"
    out = tmp_path / "points.csv"
    command = ["predict", str(run), str(marked), "--points", "face", "--out", str(out), "--quiet"]
    assert main(command) == 0
    assert capsys.readouterr().out == f"30 images, 5 points each: {out}\n"
    with out.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    parts = [f"{name}_{part}" for name in NAMES for part in ("x", "y", "confidence")]
    assert list(rows[0]) == ["file", "width", "height", *parts]
    found = predicted(run, marked)
    assert float(rows[7]["nose_x"]) == pytest.approx(found.xy[7, NAMES.index("nose"), 0], abs=2e-3)
    distance = np.linalg.norm(found.xy - faces.points.xy, axis=-1)
    assert distance.mean() < 6, "near the marks, in pixels of the faces"
    found.take(range(4)).save(tmp_path / "found.tps")
    assert fit(run, tmp_path / "found.tps", "--images", str(marked), out="again") == 0
    assert "where its points face do" in " ".join(capsys.readouterr().err.split())


def test_an_existing_map_and_picture_are_kept_before_any_work_is_done(
    run, marked, tmp_path, capsys, monkeypatch
):
    assert fit(run, marked) == 0
    before = (run / "points" / "face.json").read_bytes()
    (tmp_path / "look.png").write_text("precious")
    with monkeypatch.context() as patch:
        patch.setattr("swapmark.detector.Detector.fit_points", lambda *_, **__: 1 / 0)
        assert fit(run, marked) == 2
        assert "face.json" in capsys.readouterr().err
        assert fit(run, marked, "--overlay", str(tmp_path / "look.png"), out="other") == 2
        assert "look.png" in capsys.readouterr().err
    assert (run / "points" / "face.json").read_bytes() == before
    assert fit(run, marked, "--overwrite", "--normaliser", "diagonal") == 0
    assert (run / "points" / "face.json").read_bytes() != before


def test_a_table_and_its_images_may_lie_apart_and_lost_images_are_listed(
    run, photos, tmp_path, capsys
):
    csv_file = (photos / "marks.csv").rename(tmp_path / "marks.csv")
    rows = [line.split(",") for line in csv_file.read_text().splitlines()]
    split = rows[0].index("split")
    lost, empty = [row[0] for row in rows if row[split] == "fit"][:2]
    (photos / lost).unlink()
    (photos / empty).write_bytes(b"")
    assert fit(run, csv_file, "--images", str(photos)) == 0
    captured = capsys.readouterr()
    assert "13 specimens" in " ".join(captured.out.split())
    assert f"Skipped {lost}: " in captured.err
    assert f"Skipped {empty}: " in captured.err


@pytest.mark.parametrize("ending", ["csv", "tps", "dlc.csv", "json", "parquet"])
def test_files_of_every_format_are_fitted_without_naming_it(run, marked, photos, tmp_path, ending):
    points = swapmark.read_points(photos / "marks.csv")
    rows = np.flatnonzero(np.array(points.split) == "fit")
    (tmp_path / "fit.csv").write_text("")
    points.take(rows).save(tmp_path / "fit.csv", overwrite=True)
    marks = tmp_path / f"marks.{ending}"
    write_as = "dlc" if ending == "dlc.csv" else None
    swapmark.convert(tmp_path / "fit.csv", marks, images=photos, write_as=write_as)
    # Of the same specimens, the zip fits those whose split is fit.
    assert fit(run, marked, "--normaliser", "diagonal", out="whole") == 0
    assert fit(run, marks, "--images", str(photos), "--normaliser", "diagonal") == 0
    found, expected = predicted(run, marked), predicted(run, marked, "whole")
    assert np.allclose(found.xy, expected.xy, atol=1e-6)
    assert ending == "tps" or found.names == expected.names


@pytest.mark.parametrize(
    ("size", "said"), [((40, 30), "40 × 30.*30 × 40.*unturned"), ((15, 20), "15 × 20.*30 × 40")]
)
@pytest.mark.parametrize("verb", ["fit", "evaluate", "convert"])
def test_marks_of_another_size_or_turn_are_refused_before_any_work(
    run, tmp_path, monkeypatch, capsys, verb, size, said
):
    monkeypatch.setattr("swapmark.detector.predict_points", lambda *_, **__: 1 / 0)
    exif = Image.Exif()
    exif[0x0112] = 6  # upright, 30 wide and 40 high
    (tmp_path / "img").mkdir()
    Image.new("RGB", (40, 30)).save(tmp_path / "img" / "a.jpg", exif=exif)
    sides = {"width": size[0], "height": size[1]}
    of_points = {"id": 1, "name": "fly", "keypoints": ["tip"]}
    mark = {"id": 1, "image_id": 1, "category_id": 1, "keypoints": [5, 6, 2]}
    image = {"id": 1, "file_name": "a.jpg"} | sides
    marks = {"images": [image], "annotations": [mark], "categories": [of_points]}
    (tmp_path / "marks.json").write_text(json.dumps(marks))
    first = [] if verb == "convert" else [str(run)]
    last = {"convert": [str(tmp_path / "out.csv")], "fit": ["--out", "tip"]}.get(verb, [])
    images = ["--images", str(tmp_path / "img")]
    assert main([verb, *first, str(tmp_path / "marks.json"), *last, *images]) == 2
    assert re.search(said, capsys.readouterr().err)
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize("before", ["images/1/", "/data/local-files/?d=set1%2F"])
def test_names_of_label_studio_find_their_pictures(run, photos, capsys, before):
    header, *rows = (photos / "marks.csv").read_text().splitlines()
    marks = photos.parent / "marks.csv"
    marks.write_text("\n".join([header, *(before + row for row in rows)]))
    assert fit(run, marks, "--images", str(photos)) == 0
    assert "15 specimens" in capsys.readouterr().out


def test_columns_of_notes_are_left_out_and_told(run, photos, capsys):
    path = photos / "marks.csv"
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([f"{header},notes", *(f"{row},torn wing" for row in rows)]))
    assert fit(run, path) == 0
    (told,) = capsys.readouterr().err.splitlines()
    assert told.startswith(f"Note: {path}: ")
    assert "notes" in told


def test_rows_of_the_test_split_are_never_used_nor_their_images_read(run, marked, photos, capsys):
    path = photos / "marks.csv"
    rows = [line.split(",") for line in path.read_text().splitlines()]
    split = rows[0].index("split")
    first = rows[0].index(f"{NAMES[0]}_x")
    for row in rows:
        if row[split] == "test":
            row[first:] = ["1"] * len(row[first:])
            (photos / row[0]).write_bytes(b"broken")
    path.write_text("\n".join(map(",".join, rows)))
    assert fit(run, marked) == fit(run, path, out="by_path") == 0
    assert "Skipped" not in capsys.readouterr().err
    by_path, whole = (predicted(run, marked, name).xy for name in ("by_path", "face"))
    assert np.allclose(by_path, whole, atol=1e-6)


@pytest.mark.parametrize(
    ("model", "source", "out", "words", "named"),
    [
        ("run", "absent.zip", "face", (), "absent.zip"),
        ("run", "photos", "face", ("--device", "tpu"), "tpu"),
        ("absent", "photos", "face", (), "absent"),
        ("run", "photos", "a/b", (), "a/b"),
        ("run", "photos", "face", ("--normaliser", "nos,left_eye"), "nose"),
    ],
)
def test_what_is_wrong_is_told_without_a_traceback(
    run, photos, tmp_path, capsys, model, source, out, words, named
):
    assert fit(tmp_path / model, tmp_path / source, *words, out=out) == 2
    assert named in capsys.readouterr().err
    assert not (run / "points").exists()


def test_a_model_by_its_name_is_told_to_be_exported_first(marked, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert fit("faces", marked) == 2
    assert "swapmark export faces --format hub" in capsys.readouterr().err
