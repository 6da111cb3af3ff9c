"""From a run and marked faces to a table with the user's names, by commands and in Python."""

import csv
import json
import shutil
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import swapmark
from swapmark.cli import main
from swapmark.errors import RunError
from swapmark.faces.synthetic import draw_faces, save_faces
from swapmark.specimens.point_map import model_fingerprint, read_point_map


@pytest.fixture
def run(tiny_run, tmp_path):
    """A copy of the tiny run, to put point maps into."""
    return shutil.copytree(tiny_run.path, tmp_path / "run")


@pytest.fixture(scope="module")
def marked(tmp_path_factory):
    """Forty drawn faces with marks, half of them to fit."""
    path = tmp_path_factory.mktemp("marked") / "faces.zip"
    return save_faces(draw_faces(40, size=32, seed=2, fit=0.5, test=0.5), path)


def fit(run, annotated, *more: str, out: str = "face") -> int:
    return main(["fit", str(run), str(annotated), "--out", out, "--draws", "2", "--quiet", *more])


def table(path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_fitted_points_are_written_by_predict_under_their_own_names(run, marked, tmp_path, capsys):
    assert fit(run, marked) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "5 points fitted to 4 landmarks on 20 specimens" in printed
    assert printed.endswith(f"swapmark predict {run} IMAGES --points face --out face.csv")
    out = tmp_path / "points.csv"
    command = ["predict", str(run), str(marked), "--points", "face", "--out", str(out), "--quiet"]
    assert main([*command, "--overlay", str(tmp_path / "look.png")]) == 0
    printed = capsys.readouterr().out
    assert printed == f"40 images, 5 points each: {out}\nDrawn: {tmp_path / 'look.png'}\n"
    names = draw_faces(1, size=16).annotations.names
    rows = table(out)
    parts = [f"{name}_{part}" for name in names for part in ("x", "y", "confidence")]
    assert list(rows[0]) == ["file", "width", "height", *parts]
    detector = swapmark.load(run)
    found = detector.predict(marked, points="face")
    assert found.names == names
    assert float(rows[7]["nose_x"]) == pytest.approx(found.xy[7, names.index("nose"), 0], abs=2e-3)
    assert ((found.confidence >= 0) & (found.confidence <= 1)).all()
    faces = draw_faces(40, size=32, seed=2, fit=0.5, test=0.5)
    distance = np.linalg.norm(found.xy - faces.annotations.xy, axis=-1)
    assert distance.mean() < 6, "near the marks, in pixels of the faces"


def test_marks_and_what_became_of_them_are_drawn(run, marked, tmp_path, capsys):
    look = tmp_path / "look.png"
    assert fit(run, marked, "--overlay", str(look)) == 0
    assert capsys.readouterr().out.splitlines()[-3] == f"Drawn: {look}"
    with Image.open(look) as sheet:
        drawn = np.asarray(sheet).astype(int)
    assert (drawn.min(axis=-1) > 240).any(), "white crosses"
    assert (np.ptp(drawn, axis=-1) > 120).any(), "coloured dots"
    assert fit(run, marked, "--overlay", str(look), out="other") == 2
    assert "look.png exists already" in capsys.readouterr().err
    assert not (run / "points" / "other.json").exists(), "told before any work"


def test_the_largest_errors_are_drawn_first(run, marked, tmp_path):
    with zipfile.ZipFile(marked) as archive:
        archive.extractall(tmp_path / "photos")
    path = tmp_path / "photos" / "landmarks.csv"
    header, *rows = path.read_text().splitlines()
    index = next(i for i in range(5, 40) if rows[i].split(",")[1] == "fit")
    cells = rows[index].split(",")
    cells[2:] = [f"{31 - float(cell):.2f}" for cell in cells[2:]]
    rows[index] = ",".join(cells)
    path.write_text("\n".join([header, *rows]))
    fitted = swapmark.fit(run, path, "face", draws=1, progress=False)
    assert fitted.left_out.names == draw_faces(1, size=16).annotations.names
    both = np.isfinite(fitted.marks)
    error = np.linalg.norm(fitted.left_out.xy - fitted.marks, axis=-1)
    assert error[both.all(axis=-1)].mean() == pytest.approx(fitted.pixels)
    wrong = fitted.left_out.paths.index(cells[0])
    assert error[wrong].max() == error.max()
    one = fitted.draw(tmp_path / "photos", tmp_path / "one.png", most=1)
    alone = replace(
        fitted.left_out,
        xy=fitted.left_out.xy[[wrong]],
        confidence=fitted.left_out.confidence[[wrong]],
        paths=(cells[0],),
        sizes=fitted.left_out.sizes[[wrong]],
    )
    expected = swapmark.draw_sheet(
        alone, tmp_path / "photos", tmp_path / "two.png", marked=fitted.marks[[wrong]]
    )
    with Image.open(one) as first, Image.open(expected) as second:
        assert np.array_equal(np.asarray(first)[-780:], np.asarray(second)[-780:])


def test_python_fits_the_same_map_and_takes_it_without_its_name(run, marked):
    fitted = swapmark.fit(run, marked, "face", draws=1, progress=False)
    detector = swapmark.load(run)
    by_name = detector.predict(marked, points="face")
    by_map = detector.predict(marked, points=fitted.map)
    assert np.allclose(by_name.xy, by_map.xy, atol=1e-9)
    record = json.loads((run / "points" / "face.json").read_text(encoding="utf-8"))["record"]
    assert record == fitted.metrics()


def test_an_existing_map_is_kept_before_any_work_is_done(run, marked, capsys, monkeypatch):
    assert fit(run, marked) == 0
    before = (run / "points" / "face.json").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr("swapmark.predict.load.load", lambda *_, **__: 1 / 0)
        assert fit(run, marked) == 2
    assert "face.json exists already" in capsys.readouterr().err
    assert (run / "points" / "face.json").read_bytes() == before
    assert fit(run, marked, "--overwrite", "--normaliser", "diagonal") == 0
    assert (run / "points" / "face.json").read_bytes() != before


def test_a_table_and_its_images_may_lie_apart_and_lost_images_are_listed(
    run, marked, tmp_path, capsys
):
    photos = tmp_path / "photos"
    with zipfile.ZipFile(marked) as archive:
        archive.extractall(photos)
    lines = (photos / "landmarks.csv").read_text().splitlines()
    csv_file = tmp_path / "marks.csv"
    csv_file.write_text("\n".join(lines))
    lost, empty = [line.split(",")[0] for line in lines[1:] if line.split(",")[1] == "fit"][:2]
    (photos / lost).unlink()
    (photos / empty).write_bytes(b"")
    assert fit(run, csv_file, "--images", str(photos)) == 0
    captured = capsys.readouterr()
    assert "on 18 specimens" in " ".join(captured.out.split())
    assert "2 marked images could not be found or read" in " ".join(captured.out.split())
    assert f"Skipped {lost}: there is no such image" in captured.err
    assert f"Skipped {empty}: the file is empty" in captured.err


@pytest.mark.parametrize("ending", ["csv", "tps", "dlc.csv", "json", "txt"])
def test_files_of_every_format_are_fitted_without_naming_it(run, marked, tmp_path, capsys, ending):
    photos = tmp_path / "photos"
    with zipfile.ZipFile(marked) as archive:
        archive.extractall(photos)
    lines = (photos / "landmarks.csv").read_text().splitlines()
    rows = [line.split(",") for line in lines if line.split(",")[1] != "test"]
    source = tmp_path / "without_split.csv"
    source.write_text("\n".join(",".join([row[0], *row[2:]]) for row in rows))
    marks = tmp_path / f"marks.{ending}"
    write_as = "dlc" if ending == "dlc.csv" else None
    swapmark.convert(source, marks, images=photos, write_as=write_as)
    # Of the same specimens, the zip fits those whose split is fit.
    assert fit(run, marked, "--normaliser", "diagonal", out="whole") == 0
    assert fit(run, marks, "--images", str(photos), "--normaliser", "diagonal") == 0
    assert "on 20 specimens" in " ".join(capsys.readouterr().out.split())
    found, expected = (swapmark.load(run).predict(marked, points=p) for p in ("face", "whole"))
    assert np.allclose(found.xy, expected.xy, atol=1e-6)
    names = tuple(f"landmark_{k + 1}" for k in range(5))
    assert found.names == (names if ending == "tps" else expected.names)


def test_what_a_file_holds_besides_points_is_told_in_a_note(run, marked, tmp_path, capsys):
    with zipfile.ZipFile(marked) as archive:
        archive.extractall(tmp_path)
    swapmark.convert(tmp_path / "landmarks.csv", tmp_path / "marks.tps")
    text = (tmp_path / "marks.tps").read_text()
    (tmp_path / "marks.tps").write_text(text.replace("IMAGE=", "COMMENT=odd\nIMAGE="))
    assert fit(run, tmp_path / "marks.tps") == 0
    assert f"Note: {tmp_path / 'marks.tps'}: left out 40 COMMENT.\n" in capsys.readouterr().err


def test_columns_of_notes_are_left_out_and_told(run, marked, tmp_path, capsys):
    with zipfile.ZipFile(marked) as archive:
        archive.extractall(tmp_path)
    path = tmp_path / "landmarks.csv"
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([f"{header},notes", *(f"{row},torn wing" for row in rows)]))
    assert fit(run, path) == 0
    assert capsys.readouterr().err == f"Note: {path}: left out what is no point: notes.\n"


def test_rows_of_the_test_split_are_never_used_nor_their_images_read(run, marked, tmp_path, capsys):
    with zipfile.ZipFile(marked) as archive:
        archive.extractall(tmp_path)
    path = tmp_path / "landmarks.csv"
    rows = [line.split(",") for line in path.read_text().splitlines()]
    for row in rows:
        if row[1] == "test":
            row[2:] = ["1"] * len(row[2:])
            (tmp_path / row[0]).write_bytes(b"broken")
    path.write_text("\n".join(map(",".join, rows)))
    assert fit(run, marked) == 0
    capsys.readouterr()
    assert fit(run, path, out="by_path") == 0
    assert "Skipped" not in capsys.readouterr().err
    by_path, whole = (
        json.loads((run / "points" / f"{name}.json").read_text(encoding="utf-8"))["weights"]
        for name in ("by_path", "face")
    )
    assert np.allclose(by_path, whole, atol=1e-6)


def test_a_map_of_another_model_is_refused_before_any_image_is_read(run, marked, tmp_path, capsys):
    assert fit(run, marked) == 0
    path = run / "points" / "face.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(values | {"model": "0" * 64}), encoding="utf-8")
    out = tmp_path / "points.csv"
    command = ["predict", str(run), str(tmp_path / "nowhere"), "--out", str(out)]
    assert main([*command, "--points", "face"]) == 2
    error = capsys.readouterr().err
    assert "face.json was fitted on another model" in error
    assert f"swapmark fit {run} ANNOTATED" in error
    assert main([*command, "--points", "wing"]) == 2
    assert "the run has the point maps face" in capsys.readouterr().err
    with pytest.raises(RunError, match="another model"):
        swapmark.load(run).predict(marked, points="face")


def test_what_is_wrong_is_told_without_a_traceback(run, marked, tmp_path, capsys):
    assert fit(run, tmp_path / "absent.zip") == 2
    assert "There is no" in capsys.readouterr().err
    assert fit(tmp_path / "absent", marked) == 2
    assert "There is no folder" in capsys.readouterr().err
    assert fit(run, marked, out="a/b") == 2
    assert "cannot name a point map" in capsys.readouterr().err
    assert fit(run, marked, "--normaliser", "nos,left_eye") == 2
    assert "Did you mean 'nose'" in capsys.readouterr().err
    assert not (run / "points").exists()


def test_a_new_run_in_the_folder_removes_the_maps_of_the_old_one(
    run, marked, tiny_faces, tiny_settings
):
    assert fit(run, marked) == 0
    swapmark.train(
        tiny_faces,
        run,
        settings=[*tiny_settings, "training.steps=1"],
        overwrite=True,
        progress=False,
    )
    assert not (run / "points").exists()


def test_an_onnx_file_is_told_from_a_run(tmp_path):
    with pytest.raises(RunError, match="point maps belong to a run"):
        model_fingerprint(tmp_path / "model.onnx")


def test_the_points_of_a_video_are_the_same_by_name_by_map_and_by_command(
    run, marked, film, tmp_path
):
    assert fit(run, marked) == 0
    video, detector = film("fit.mkv", [(20 + index, 30) for index in range(3)]), swapmark.load(run)
    tables = [tmp_path / f"{name}.csv" for name in ("name", "map", "command")]
    swapmark.predict_video(detector, video, tables[0], points="face")
    found = read_point_map(run / "points" / "face.json")
    swapmark.predict_video(detector, video, tables[1], points=found)
    words = ["--points", "face", "--out", str(tables[2]), "--quiet"]
    assert main(["predict", str(run), str(video), *words]) == 0
    assert {"nose_x", "left_eye_y"} <= table(tables[0])[0].keys()
    assert tables[0].read_text() == tables[1].read_text() == tables[2].read_text()
    with pytest.raises(
        RunError, match=r"There is no .*nose\.json; the run has the point maps face"
    ):
        swapmark.predict_video(detector, video, tmp_path / "other.csv", points="nose")
