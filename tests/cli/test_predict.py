import csv

import numpy as np
import pytest
from PIL import Image

from swapmark.cli import main
from swapmark.points.formats import read_points
from swapmark.predict.load import load


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    random = np.random.default_rng(0)
    for index, shape in enumerate([(40, 60, 3), (64, 32), (50, 50, 4)]):
        pixels = random.integers(0, 256, shape, dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.png")
    return folder


def predict(tiny_run, images, out, *more: str) -> int:
    return main(["predict", str(tiny_run.path), str(images), "--out", str(out), *more])


def rows(path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_table_holds_what_python_gives(tiny_run, images, tmp_path, capsys):
    out = tmp_path / "tables" / "points.csv"
    assert predict(tiny_run, images, out, "--quiet", "--batch-size", "2") == 0
    found = load(tiny_run).predict(images)
    table = rows(out)
    assert [row["file"] for row in table] == list(found.paths) == ["0.png", "1.png", "2.png"]
    assert [(row["width"], row["height"]) for row in table] == [
        ("60", "40"),
        ("32", "64"),
        ("50", "50"),
    ]
    for k, name in enumerate(found.names):
        for part, expected in (
            ("x", found.xy[:, k, 0]),
            ("y", found.xy[:, k, 1]),
            ("confidence", found.confidence[:, k]),
        ):
            values = [float(row[f"{name}_{part}"]) for row in table]
            assert values == pytest.approx(expected.tolist(), abs=2e-3)
    captured = capsys.readouterr()
    assert captured.out == f"3 images, 4 landmarks each: {out}\n"
    assert captured.err == ""
    assert [path.name for path in out.parent.iterdir()] == ["points.csv"]


def test_skipped_images_are_listed_beside_the_table(tiny_run, images, tmp_path, capsys):
    (images / "1.png").write_bytes(b"")
    out, skipped = tmp_path / "points.csv", tmp_path / "points-skipped.csv"
    assert predict(tiny_run, images, out, "--quiet") == 0
    assert [row["file"] for row in rows(out)] == ["0.png", "2.png"]
    assert rows(skipped) == [{"file": "1.png", "reason": "the file is empty"}]
    assert f"Skipped 1 of 3 images; reasons: {skipped}" in capsys.readouterr().err
    (images / "1.png").unlink()
    assert predict(tiny_run, images, out, "--quiet", "--overwrite") == 0
    assert not skipped.exists(), "it would speak of another table"


def test_pictures_of_kinds_that_are_not_read_are_counted_and_listed(
    tiny_run, images, tmp_path, capsys
):
    for name in ("live.heic", "raw.CR2", "notes.txt"):
        (images / name).write_bytes(b"of a camera")
    assert predict(tiny_run, images, tmp_path / "points.csv", "--quiet") == 0
    listed = [row["file"] for row in rows(tmp_path / "points-skipped.csv")]
    assert listed == ["live.heic", "raw.CR2"]
    assert "Skipped 2 of 5 images" in capsys.readouterr().err


def test_two_tables_of_one_name_have_lists_of_their_own(tiny_run, images, tmp_path):
    (images / "1.png").write_bytes(b"")
    assert predict(tiny_run, images, tmp_path / "points.csv", "--quiet") == 0
    assert predict(tiny_run, images, tmp_path / "points.tps", "--quiet") == 0
    assert rows(tmp_path / "points-skipped.csv") == rows(tmp_path / "points.tps-skipped.csv")


@pytest.mark.parametrize("name", ["points.csv", "points-skipped.csv"])
def test_existing_files_are_kept_before_any_work_is_done(
    tiny_run, images, tmp_path, capsys, monkeypatch, name
):
    monkeypatch.setattr("swapmark.predict.load.load", lambda *_, **__: 1 / 0)
    (tmp_path / name).write_text("precious")
    assert predict(tiny_run, images, tmp_path / "points.csv") == 2
    assert f"{name} exists already" in capsys.readouterr().err
    assert (tmp_path / name).read_text() == "precious"


def test_what_is_missing_is_told_without_a_traceback(tiny_run, images, tmp_path, capsys):
    assert main(["predict", str(tmp_path / "absent"), str(images)]) == 2
    assert "swapmark: There is no folder" in capsys.readouterr().err
    assert predict(tiny_run, tmp_path / "nowhere", tmp_path / "points.csv") == 2
    assert "nowhere" in capsys.readouterr().err
    assert predict(tiny_run, images, tmp_path / "points.csv", "--device", "tpu") == 2
    assert "device is 'tpu'" in capsys.readouterr().err
    assert not (tmp_path / "points.csv").exists()


@pytest.mark.parametrize(
    ("name", "words", "start"),
    [
        ("points.tps", (), "LM=4\n"),
        ("points.json", (), '{\n"images": ['),
        ("points.txt", (), "id\tlandmark_1_x"),
        ("points.csv", ("--format", "dlc"), "scorer,swapmark"),
        ("points.out", ("--format", "csv"), "file,width,height"),
    ],
)
def test_other_formats_follow_from_the_ending_or_are_named(
    tiny_run, images, tmp_path, capsys, name, words, start
):
    out = tmp_path / name
    assert predict(tiny_run, images, out, "--quiet", *words) == 0
    assert out.read_text().startswith(start)
    assert ("Not in points.tps: the confidence" in capsys.readouterr().err) == (name[-3:] == "tps")


def test_parquet_holds_what_python_gives(tiny_run, images, tmp_path):
    assert predict(tiny_run, images, tmp_path / "points.parquet", "--quiet") == 0
    found = load(tiny_run).predict(images)
    assert np.array_equal(read_points(tmp_path / "points.parquet").xy, found.xy)


def test_an_unknown_ending_is_told_before_any_work_is_done(
    tiny_run, images, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("swapmark.predict.load.load", lambda *_, **__: 1 / 0)
    assert predict(tiny_run, images, tmp_path / "points.xyz") == 2
    assert "expected .csv, .tps" in capsys.readouterr().err


def test_an_ending_of_another_format_is_told_before_any_work_is_done(
    tiny_run, images, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("swapmark.predict.load.load", lambda *_, **__: 1 / 0)
    assert predict(tiny_run, images, tmp_path / "q.tps", "--format", "dlc") == 2
    assert f"Name it {tmp_path / 'q.csv'}" in capsys.readouterr().err


def test_points_that_a_format_cannot_hold_are_kept_as_csv(tiny_run, images, tmp_path, capsys):
    (images / "1.png").rename(images / "1, left.png")
    assert predict(tiny_run, images, tmp_path / "points.txt", "--quiet") == 2
    assert "'1, left.png' can't be written for MorphoJ" in capsys.readouterr().err
    assert [path.name for path in tmp_path.glob("points*")] == ["points.txt.csv"]
    assert len(rows(tmp_path / "points.txt.csv")) == 3


def test_a_video_gives_a_row_a_frame_and_a_drawn_video(tiny_run, film, tmp_path, capsys):
    video = film("predict.mkv", [(20 + index, 30) for index in range(9)])
    out, drawn = tmp_path / "points.csv", tmp_path / "drawn.mp4"
    words = ["--overlay", str(drawn), "--every", "2", "--start", "0.04", "--stop", "0.3", "--quiet"]
    assert predict(tiny_run, video, out, *words) == 0
    table = rows(out)
    assert [row["frame"] for row in table] == ["1", "3", "5", "7"]
    assert [row["time"] for row in table] == ["0.040000", "0.120000", "0.200000", "0.280000"]
    assert "landmark_4_confidence" in table[0]
    captured = capsys.readouterr()
    assert captured.out == f"4 frames, 4 landmarks each: {out}; drawn: {drawn}\n"
    assert captured.err == ""
    assert drawn.stat().st_size > 0


def test_a_folder_with_a_frame_rate_is_taken_for_a_video(tiny_run, images, tmp_path, capsys):
    (images / "1.png").write_bytes(b"")
    out = tmp_path / "points.csv"
    assert predict(tiny_run, images, out, "--frame-rate", "4", "--quiet") == 0
    assert [(row["file"], row["time"]) for row in rows(out)] == [
        ("0.png", "0.000000"),
        ("2.png", "0.500000"),
    ]
    skipped = tmp_path / "points-skipped.csv"
    assert rows(skipped) == [{"file": "1.png", "reason": "frame 1: the file is empty"}]
    assert f"what, and why: {skipped}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["--overlay", "a.mp4"], ["--every", "2"], ["--start", "1"], ["--stop", "1"]]
)
def test_options_of_videos_are_refused_for_pictures(tiny_run, images, tmp_path, capsys, words):
    assert predict(tiny_run, images, tmp_path / "points.csv", *words) == 2
    assert "add their rate: --frame-rate 25" in capsys.readouterr().err


@pytest.mark.parametrize(("source", "name"), [("film.mp4", "drawn.mp4"), ("images", "drawn.png")])
def test_an_overlay_that_exists_is_kept_before_any_work_is_done(
    tiny_run, tmp_path, capsys, monkeypatch, source, name
):
    monkeypatch.setattr("swapmark.predict.load.load", lambda *_, **__: 1 / 0)
    drawn = tmp_path / name
    drawn.write_text("precious")
    out = tmp_path / "points.csv"
    assert predict(tiny_run, tmp_path / source, out, "--overlay", str(drawn)) == 2
    assert f"{name} exists already" in capsys.readouterr().err
    assert drawn.read_text() == "precious"


def test_pictures_are_drawn_on_a_sheet(tiny_run, images, tmp_path, capsys):
    (images / "1.png").write_bytes(b"")
    out, drawn = tmp_path / "points.csv", tmp_path / "sheets" / "look.png"
    assert predict(tiny_run, images, out, "--overlay", str(drawn), "--quiet") == 0
    assert capsys.readouterr().out == f"2 images, 4 landmarks each: {out}\nDrawn: {drawn}\n"
    with Image.open(drawn) as sheet:
        assert sheet.size[0] == 2 * (256 + 4) + 4


@pytest.mark.parametrize(
    ("out", "overlay", "said"),
    [
        ("points.csv", "look.xyz", "Name it with one of .png, .jpg"),
        ("a.png", "a.png", "named for both the table and the overlay"),
        ("points.csv", "images/look.png", "Choose a place outside"),
        ("points.csv", "folder.png", "is a folder"),
    ],
)
def test_a_sheet_that_cannot_be_is_refused_before_any_work_is_done(
    tiny_run, images, tmp_path, capsys, monkeypatch, out, overlay, said
):
    monkeypatch.setattr("swapmark.predict.load.load", lambda *_, **__: 1 / 0)
    (tmp_path / "folder.png").mkdir()
    words = ["--overlay", str(tmp_path / overlay), "--format", "csv", "--overwrite"]
    assert predict(tiny_run, images, tmp_path / out, *words) == 2
    assert said in capsys.readouterr().err


def test_a_picture_is_not_replaced_by_its_own_sheet(tiny_run, images, tmp_path, capsys):
    picture = images / "0.png"
    before = picture.read_bytes()
    words = ["--overlay", str(picture), "--overwrite"]
    assert predict(tiny_run, picture, tmp_path / "points.csv", *words) == 2
    assert "0.png is the picture itself" in capsys.readouterr().err
    assert picture.read_bytes() == before


def test_a_video_is_not_drawn_on_a_sheet(tiny_run, film, tmp_path, capsys):
    video = film("predict.mkv", [(20, 30)] * 2)
    assert predict(tiny_run, video, tmp_path / "a.csv", "--overlay", str(tmp_path / "a.png")) == 2
    assert "an overlay video is written as one of .mkv" in capsys.readouterr().err


def test_points_and_reasons_are_kept_where_the_sheet_fails(tiny_run, images, tmp_path, capsys):
    (images / "1.png").write_bytes(b"")
    (tmp_path / "file").write_text("in the way")
    out, sheet = tmp_path / "points.csv", tmp_path / "file" / "look.png"
    assert predict(tiny_run, images, out, "--overlay", str(sheet), "--quiet") == 2
    said = capsys.readouterr()
    assert said.out == f"2 images, 4 landmarks each: {out}\n"
    assert "The sheet was not drawn" in said.err
    assert f"The points are in {out}" in said.err
    assert len(rows(out)) == 2
    assert rows(tmp_path / "points-skipped.csv")[0]["file"] == "1.png"


@pytest.mark.parametrize(
    ("name", "words", "told"), [("a.tps", (), "tps"), ("a.csv", ("--format", "dlc"), "dlc")]
)
def test_a_video_is_written_as_csv_alone(tiny_run, film, tmp_path, capsys, name, words, told):
    video, out = film("predict.mkv", [(20, 30)] * 2), tmp_path / name
    assert predict(tiny_run, video, out, *words) == 2
    said = capsys.readouterr().err
    assert f"are written as csv, not as {told}" in said
    advice = said[said.index("swapmark convert") :]
    table = tmp_path / "frames.csv"
    assert predict(tiny_run, video, table, "--quiet") == 0
    command = advice.replace("frames.csv", str(table)).split()[1:]
    assert command == ["convert", str(table), str(out), "--to", told]
    assert main(command) == 0
    assert out.is_file()
