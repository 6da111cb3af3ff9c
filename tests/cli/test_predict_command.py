import csv
import shutil

import numpy as np
import pytest
from PIL import Image

from swapmark.cli import main
from swapmark.detector import load
from swapmark.points.formats import read_points
from swapmark.training.train import train


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    random = np.random.default_rng(0)
    for index, shape in enumerate([(40, 60, 3), (64, 32), (50, 50, 4)]):
        pixels = random.integers(0, 256, shape, dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.png")
    return folder


@pytest.fixture
def no_work(monkeypatch):
    """Fail where a model is loaded: what is refused is refused before."""
    monkeypatch.setattr("swapmark.detector.load", lambda *_, **__: 1 / 0)


def predict(run, images, out, *more: str) -> int:
    return main(["predict", str(run.path), str(images), "--out", str(out), "--quiet", *more])


def rows(path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_names_that_steer_a_terminal_or_are_formulas_are_defused(
    tiny_run, images, tmp_path, capsys
):
    (images / "=bad.png").write_text("none")
    (images / "0.png").rename(images / "=0.png")
    assert predict(tiny_run, images, tmp_path / "p.csv", "--safe") == 0
    assert rows(tmp_path / "p.csv")[-1]["file"] == "'=0.png"
    assert rows(tmp_path / "p-skipped.csv")[0]["file"] == "'=bad.png"
    (tmp_path / "\x1b[2J.png").write_text("none")
    assert predict(tiny_run, tmp_path / "\x1b[2J.png", tmp_path / "q.csv") == 2
    told = capsys.readouterr().err
    assert r"\x1b[2J.png" in told
    assert "\x1b" not in told


def test_the_table_holds_what_python_gives(tiny_run, images, tmp_path, capsys):
    out = tmp_path / "tables" / "points.csv"
    assert predict(tiny_run, images, out, "--batch-size", "2") == 0
    assert capsys.readouterr() == (f"3 images, 4 landmarks each: {out}\n", "")
    found, written = load(tiny_run).predict(images), read_points(out)
    assert written.files == found.files == ("0.png", "1.png", "2.png")
    assert written.names == found.names
    assert written.sizes.tolist() == [[60, 40], [32, 64], [50, 50]]
    assert written.xy == pytest.approx(found.xy, abs=2e-3)
    assert written.confidence == pytest.approx(found.confidence, abs=2e-3)
    assert [path.name for path in out.parent.iterdir()] == ["points.csv"]


def test_several_files_and_folders_are_taken(tiny_run, images, tmp_path, capsys):
    (tmp_path / "more").mkdir()
    (images / "0.png").rename(tmp_path / "more" / "9.png")
    words = [str(tmp_path / "more"), str(images / "1.png"), str(images / "2.png")]
    out = tmp_path / "points.csv"
    assert main(["predict", str(tiny_run.path), *words, "-o", str(out), "--quiet"]) == 0
    assert [row["file"].rpartition("/")[2] for row in rows(out)] == ["9.png", "1.png", "2.png"]


def test_what_is_skipped_is_listed_beside_each_table(tiny_run, images, tmp_path, capsys):
    (images / "1.png").write_bytes(b"")
    for name in ("live.heic", "notes.txt"):
        (images / name).write_bytes(b"of a camera")
    out, skipped = tmp_path / "points.csv", tmp_path / "points-skipped.csv"
    assert predict(tiny_run, images, out) == 0
    assert f"Skipped 2 of 4 images; reasons: {skipped}" in capsys.readouterr().err
    assert [row["file"] for row in rows(out)] == ["0.png", "2.png"]
    assert [row["file"] for row in rows(skipped)] == ["1.png", "live.heic"]
    assert predict(tiny_run, images, tmp_path / "points.tps") == 0
    assert rows(skipped) == rows(tmp_path / "points.tps-skipped.csv")
    for name in ("1.png", "live.heic"):
        (images / name).unlink()
    assert predict(tiny_run, images, out, "--overwrite") == 0
    assert not skipped.exists(), "it would speak of another table"


@pytest.mark.parametrize("name", ["points.csv", "points-skipped.csv", "look.png"])
def test_existing_files_are_kept_before_any_work_is_done(no_work, tiny_run, tmp_path, capsys, name):
    (tmp_path / name).write_text("precious")
    words = ["--overlay", str(tmp_path / "look.png")]
    assert predict(tiny_run, tmp_path / "images", tmp_path / "points.csv", *words) == 2
    assert name in capsys.readouterr().err
    assert (tmp_path / name).read_text() == "precious"


@pytest.mark.parametrize(
    ("out", "overlay", "words", "named"),
    [
        ("points.xyz", "look.png", (), ".xyz"),
        ("q.tps", "look.png", ("--format", "dlc"), "q.tps"),
        ("points.csv", "look.xyz", (), "look.xyz"),
        ("a.png", "a.png", ("--format", "csv"), "a.png"),
        ("points.csv", "images/look.png", (), "look.png"),
        ("points.csv", "images", (), "images"),
    ],
)
def test_what_cannot_be_written_is_refused_before_any_work_is_done(
    no_work, tiny_run, images, tmp_path, capsys, out, overlay, words, named
):
    words = [*words, "--overlay", str(tmp_path / overlay), "--overwrite"]
    assert predict(tiny_run, images, tmp_path / out, *words) == 2
    assert named in capsys.readouterr().err


@pytest.mark.parametrize(
    ("out", "overlay"), [("points.csv", "images/1.png"), ("images/1.png", "look.png")]
)
def test_none_of_the_images_is_written_over(
    no_work, tiny_run, images, tmp_path, capsys, out, overlay
):
    given = [images / "0.png", images / "1.png"]
    before = given[1].read_bytes()
    words = ["--out", str(tmp_path / out), "--overlay", str(tmp_path / overlay), "--format", "csv"]
    assert main(["predict", str(tiny_run.path), *map(str, given), *words, "--overwrite"]) == 2
    assert "1.png" in capsys.readouterr().err
    assert given[1].read_bytes() == before


@pytest.mark.parametrize(
    ("run", "source", "words", "named"),
    [
        ("absent", "images", (), "absent"),
        ("", "nowhere", (), "nowhere"),
        ("", "images", ("--device", "tpu"), "tpu"),
        ("", "images", ("--every", "2"), "--frame-rate"),
        ("", "images", ("--stop", "1"), "--frame-rate"),
        ("", "images", ("--points", "wing"), "wing"),
        ("", "images", ("--names", "snout"), "landmark_1=snout"),
        ("", "images", ("--names", "landmark_9=snout"), "landmark_9"),
        ("", "images", ("--names", "landmark_1=landmark_2"), "one name"),
    ],
)
def test_what_is_wrong_is_told_without_a_traceback(
    tiny_run, images, tmp_path, capsys, run, source, words, named
):
    model, out = str(tmp_path / run) if run else str(tiny_run.path), tmp_path / "points.csv"
    assert main(["predict", model, str(tmp_path / source), "-o", str(out), *words]) == 2
    told = capsys.readouterr().err
    assert told.startswith("swapmark: ")
    assert named in told
    assert not out.exists()


@pytest.mark.parametrize(
    ("name", "words", "start"),
    [
        ("points.tps", (), "LM=4\n"),
        ("points.json", (), '{\n"images": ['),
        ("points.csv", ("--format", "dlc"), "scorer,swapmark"),
        ("points.out", ("--format", "csv"), "file,width,height"),
    ],
)
def test_other_formats_follow_from_the_ending_or_are_named(
    tiny_run, images, tmp_path, capsys, name, words, start
):
    out = tmp_path / name
    assert predict(tiny_run, images, out, *words) == 0
    assert out.read_text().startswith(start)
    assert ("Not in points.tps: the confidence" in capsys.readouterr().err) == (name[-3:] == "tps")


def test_landmarks_get_the_names_that_are_given(tiny_run, images, tmp_path):
    out = tmp_path / "points.csv"
    assert predict(tiny_run, images, out, "--names", "landmark_4=tail, landmark_2=snout") == 0
    header = out.read_text().splitlines()[0].split(",")
    assert header[3::3] == ["landmark_1_x", "snout_x", "landmark_3_x", "tail_x"]


def test_points_that_a_format_cannot_hold_are_kept_as_csv(tiny_run, images, tmp_path, capsys):
    (images / "1.png").rename(images / "1\n2.png")
    assert predict(tiny_run, images, tmp_path / "points.tps") == 2
    assert "points.tps.csv" in capsys.readouterr().err
    assert [path.name for path in tmp_path.glob("points*")] == ["points.tps.csv"]
    assert len(read_points(tmp_path / "points.tps.csv")) == 3


def test_a_video_gives_a_row_a_frame_and_a_drawn_video(tiny_run, film, tmp_path, capsys):
    video = film("predict.mkv", [(20 + index, 30) for index in range(9)])
    out, drawn = tmp_path / "points.csv", tmp_path / "drawn.mp4"
    words = ["--overlay", str(drawn), "--every", "2", "--start", "0.04", "--stop", "0.3"]
    assert predict(tiny_run, video, out, *words) == 0
    table = rows(out)
    assert [row["frame"] for row in table] == ["1", "3", "5", "7"]
    assert [float(row["time"]) for row in table] == [0.04, 0.12, 0.2, 0.28]
    assert "landmark_4_confidence" in table[0]
    assert capsys.readouterr() == (f"4 frames, 4 landmarks each: {out}\nDrawn: {drawn}\n", "")
    assert drawn.stat().st_size > 0
    assert predict(tiny_run, video, tmp_path / "a.csv", "--format", "dlc") == 0
    assert len(read_points(tmp_path / "a.csv")) == 9
    assert predict(tiny_run, video, tmp_path / "a.tps") == 0
    assert (tmp_path / "a.tps").read_text().count("predict.mkv#") == 9


def test_a_folder_with_a_frame_rate_is_taken_for_a_video(tiny_run, images, tmp_path, capsys):
    (images / "1.png").write_bytes(b"")
    out = tmp_path / "points.csv"
    assert predict(tiny_run, images, out, "--frame-rate", "4") == 0
    assert [(row["file"], float(row["time"])) for row in rows(out)] == [
        ("0.png", 0),
        ("2.png", 0.5),
    ]
    (skipped,) = rows(tmp_path / "points-skipped.csv")
    assert skipped["file"] == "1.png"


@pytest.fixture(scope="module")
def knowing_run(tiny_faces, tiny_settings, tmp_path_factory):
    """A short run that keeps what its 24 pictures look like."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("swapmark.model.familiar.FEWEST", 10)
        out = tmp_path_factory.mktemp("runs") / "knowing"
        return train(tiny_faces, out, config=tiny_settings, steps=2, progress=False)


def test_pictures_unlike_the_training_pictures_are_marked_and_counted(
    knowing_run, tiny_faces, images, tmp_path, capsys
):
    stripes = np.tile(np.arange(40, dtype=np.uint8) % 2 * 255, (40, 1))
    for path in images.iterdir():
        Image.fromarray(stripes).save(path)
    assert predict(knowing_run, images, tmp_path / "p.csv", "--fingerprint") == 0
    assert "3 of 3 images look unlike" in capsys.readouterr().err
    table = rows(tmp_path / "p.csv")
    assert all(float(row["unlike"]) > 1 for row in table)
    assert table[0]["fingerprint"] == load(knowing_run).network.fingerprint[:16]
    assert np.all(read_points(tmp_path / "p.csv").unlike > 1)
    assert predict(knowing_run, tiny_faces, tmp_path / "q.csv") == 0
    assert capsys.readouterr().err == ""


def test_an_unfinished_run_is_told(knowing_run, images, tmp_path, capsys):
    out = tmp_path / "run"
    shutil.copytree(knowing_run.path, out)
    settings = (out / "config.yaml").read_text().replace("steps: 2\n", "steps: 90\n")
    (out / "config.yaml").write_text(settings)
    assert main(["predict", str(out), str(images), "--quiet", "-o", str(tmp_path / "p.csv")]) == 0
    assert "not finished (step 2 of 90)" in capsys.readouterr().err
