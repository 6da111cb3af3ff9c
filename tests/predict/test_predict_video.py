"""Tables of videos whose every frame shows where its landmark is."""

import csv
import weakref

import av
import numpy as np
import pytest
from PIL import Image

import swapmark
from swapmark.data.frames import FrameSource, VideoFrame
from swapmark.errors import InputError
from swapmark.predict.video import predict_video
from swapmark.types import Landmarks

PLACES = [(8 + 2 * index, 10 + index) for index in range(40)]
COLUMNS = ["file", "frame", "time", "width", "height"]


def rows(path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def numbers(table: list[dict[str, str]], column: str) -> list[float]:
    return [float(row[column]) for row in table]


def spots(table: list[dict[str, str]], name: str = "landmark_1") -> np.ndarray:
    return np.stack([numbers(table, f"{name}_x"), numbers(table, f"{name}_y")], axis=-1)


def frames_in(path) -> list:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_each_frame_gets_a_row_in_its_own_pixels_and_time(film, spotter, tmp_path, batch_size):
    video, out = film("plain.mkv", PLACES), tmp_path / "tables" / "points.csv"
    found = predict_video(spotter, video, out, batch_size=batch_size)
    table = rows(out)
    assert list(table[0]) == [*COLUMNS, "landmark_1_x", "landmark_1_y", "landmark_1_confidence"]
    assert numbers(table, "frame") == list(range(40))
    assert numbers(table, "time") == pytest.approx([i / 25 for i in range(40)])
    assert {(row["file"], row["width"], row["height"]) for row in table} == {
        (str(video), "96", "64")
    }
    assert np.abs(spots(table) - PLACES).max() < 0.3
    assert {row["landmark_1_confidence"] for row in table} == {"0.750"}
    assert (found.path, found.frames, found.names) == (out, 40, ("landmark_1",))
    assert (found.overlay, found.skipped) == (None, ())
    assert max(spotter.batches) == min(40, batch_size)
    assert [path.name for path in out.parent.iterdir()] == ["points.csv"]


def test_points_and_times_of_a_turned_video_of_variable_rate(film, spotter, tmp_path):
    ticks = [0, 100, 150, 400, 1000]
    video = film(
        "turned.mp4",
        PLACES[:5],
        ticks=ticks,
        stored=lambda upright: np.rot90(upright, 1),
        codec=("libx264", "yuv420p"),
    )
    data = bytearray(video.read_bytes())
    place = data.index(b"tkhd") + 44
    data[place : place + 20] = b"".join(
        number.to_bytes(4, "big", signed=True) for number in (0, 1 << 16, 0, -(1 << 16), 0)
    )
    video.write_bytes(data)
    overlay = tmp_path / "drawn.mp4"
    predict_video(spotter, video, tmp_path / "points.csv", overlay=overlay)
    table = rows(tmp_path / "points.csv")
    assert {(row["width"], row["height"]) for row in table} == {("96", "64")}
    assert np.abs(spots(table) - PLACES[:5]).max() < 0.7
    assert numbers(table, "time") == pytest.approx([tick / 1000 for tick in ticks])
    drawn = frames_in(overlay)
    assert [(frame.width, frame.height) for frame in drawn] == [(96, 64)] * 5
    assert [frame.time for frame in drawn] == pytest.approx([tick / 1000 for tick in ticks])


def test_every_start_and_stop_choose_rows_and_overlay_alike(film, spotter, tmp_path):
    video, overlay = film("plain.mkv", PLACES), tmp_path / "drawn.mkv"
    out = tmp_path / "points.csv"
    predict_video(spotter, video, out, overlay=overlay, every=3, start=0.4, stop=1.0)
    table = rows(out)
    assert numbers(table, "frame") == [10, 13, 16, 19, 22]
    assert np.abs(spots(table) - PLACES[10:25:3]).max() < 0.3
    times = [frame.time for frame in frames_in(overlay)]
    assert times == pytest.approx(numbers(table, "time"), abs=1e-3)


def test_times_that_the_video_has_not_are_told(film, spotter, tmp_path):
    video, out = film("plain.mkv", PLACES), tmp_path / "points.csv"
    with pytest.raises(InputError, match="none lies between second 90 and the end; see start"):
        predict_video(spotter, video, out, start=90)
    with pytest.raises(InputError, match="none lies between the beginning and second -1; see"):
        predict_video(spotter, video, out, stop=-1)
    assert not out.exists()


def test_the_overlay_shows_the_landmark_where_the_table_says(film, spotter, tmp_path):
    video, overlay = film("plain.mkv", PLACES), tmp_path / "drawn.mp4"
    predict_video(spotter, video, tmp_path / "points.csv", overlay=overlay)
    drawn = frames_in(overlay)
    assert len(drawn) == 40
    for frame, (x, y) in list(zip(drawn, PLACES, strict=True))[::8]:
        red, _, blue = frame.to_ndarray(format="rgb24")[y, x].astype(int)
        assert red > 180, "the first colour is an orange"
        assert red - blue > 60


def test_pictures_with_a_frame_rate_are_a_video_too(spotter, tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for number, (x, y) in zip((1, 2, 10), PLACES, strict=False):
        picture = np.full((64, 96), 30, np.uint8)
        picture[y - 5 : y + 6, x - 5 : x + 6] = 250
        Image.fromarray(picture).save(folder / f"frame{number}.png")
    (folder / "frame3.png").write_bytes(b"")
    out, overlay = tmp_path / "points.csv", tmp_path / "drawn.mp4"
    found = predict_video(spotter, folder, out, frame_rate=10, overlay=overlay)
    table = rows(out)
    assert [row["file"] for row in table] == ["frame1.png", "frame2.png", "frame10.png"]
    assert numbers(table, "frame") == [0, 1, 3]
    assert numbers(table, "time") == [0, 0.1, 0.3]
    assert np.abs(spots(table) - PLACES[:3]).max() < 0.3
    assert [(entry.file, entry.reason) for entry in found.skipped] == [
        ("frame3.png", "frame 2: the file is empty")
    ]
    assert [frame.time for frame in frames_in(overlay)] == pytest.approx([0, 0.1, 0.3])


def test_a_cut_off_video_gives_its_first_frames_and_the_reason(film, spotter, tmp_path):
    video = film("cut.mkv", PLACES)
    video.write_bytes(video.read_bytes()[: video.stat().st_size * 6 // 10])
    found = predict_video(spotter, video, tmp_path / "points.csv")
    table = rows(tmp_path / "points.csv")
    assert 10 < len(table) == found.frames < 40
    assert np.abs(spots(table) - PLACES[: len(table)]).max() < 0.3
    assert any("cut off or damaged" in entry.reason for entry in found.skipped)


def test_landmarks_can_be_turned_into_other_points(film, spotter, tmp_path):
    def middle_of_the_picture(found: Landmarks):
        assert found.xy.shape[1:] == (1, 2)
        return swapmark.types.PointTable(
            ("spot", "middle"),
            found.paths,
            np.concatenate([found.xy, (found.sizes[:, None] - 1) / 2], axis=1),
        )

    out = tmp_path / "points.csv"
    predict_video(spotter, film("plain.mkv", PLACES), out, points=middle_of_the_picture)
    table = rows(out)
    assert np.abs(spots(table, "spot") - PLACES).max() < 0.3
    assert spots(table, "middle").tolist() == [[47.5, 31.5]] * 40
    assert {row["spot_confidence"] for row in table} == {""}


@pytest.mark.parametrize("stop", [KeyboardInterrupt, ZeroDivisionError])
def test_an_interrupted_run_leaves_no_file(film, spotter, tmp_path, stop):
    answer = spotter.predict_squares

    def fail_later(squares):
        if len(spotter.batches) == 2:
            raise stop
        return answer(squares)

    spotter.predict_squares = fail_later
    folder = tmp_path / "out"
    with pytest.raises(stop):
        predict_video(
            spotter,
            film("plain.mkv", PLACES),
            folder / "points.csv",
            overlay=folder / "drawn.mp4",
            batch_size=10,
        )
    assert list(folder.iterdir()) == []


def test_existing_files_are_kept_unless_allowed(film, spotter, tmp_path):
    video = film("plain.mkv", PLACES)
    out, overlay = tmp_path / "points.csv", tmp_path / "drawn.mp4"
    for path in (out, overlay):
        path.write_text("precious")
        with pytest.raises(InputError, match=f"{path.name} exists already"):
            predict_video(spotter, video, out, overlay=overlay)
        assert path.read_text() == "precious"
        path.unlink()
    out.write_text("old")
    predict_video(spotter, video, out, overwrite=True)
    assert len(rows(out)) == 40


def test_the_video_is_never_written_over(film, spotter, tmp_path):
    video = film("own.mp4", PLACES, codec=("libx264", "yuv420p"))
    content = video.read_bytes()
    with pytest.raises(InputError, match=r"own\.mp4 is the video itself"):
        predict_video(spotter, video, tmp_path / "points.csv", overlay=video, overwrite=True)
    assert video.read_bytes() == content


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0"),
        ({"every": 0}, "every is 0"),
        ({"frame_rate": 5.0}, "has time stamps of its own"),
        ({"overlay": "drawn.gif"}, "an overlay video is written as one of"),
        ({"overlay": "points.mp4", "out": "points.mp4"}, "both the table and the overlay"),
        ({"start": 100.0}, "No frame of .* can be used"),
    ],
)
def test_what_makes_no_sense_is_told(film, spotter, tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    video = film("plain.mkv", PLACES)
    with pytest.raises(InputError, match=message):
        predict_video(spotter, video, **{"out": "points.csv", **options})
    assert list(tmp_path.iterdir()) == []


def test_pictures_without_a_frame_rate_are_asked_for_it(spotter, tmp_path):
    for source in (tmp_path, [np.zeros((8, 8), np.uint8)]):
        with pytest.raises(InputError, match="pass frame_rate=25"):
            predict_video(spotter, source, tmp_path / "points.csv")


def test_frames_in_memory_do_not_grow_with_the_video(spotter, tmp_path):
    alive: list[weakref.ref] = []
    most = []

    def camera():
        for index in range(300):

            def read():
                pixels = np.full((64, 96, 3), 30, np.uint8)
                alive.append(weakref.ref(pixels))
                return pixels

            yield VideoFrame(index, index / 25, "camera", read)

    answer = spotter.predict_squares

    def count_and_answer(squares):
        most.append(sum(reference() is not None for reference in alive))
        return answer(squares)

    spotter.predict_squares = count_and_answer
    found = predict_video(
        spotter,
        FrameSource("camera", camera),
        tmp_path / "points.csv",
        overlay=tmp_path / "drawn.mp4",
        batch_size=8,
    )
    assert found.frames == len(alive) == 300
    assert max(most) <= 3 * 8, "more than a batch in use, one ready and one in the making"


def test_it_is_public():
    assert swapmark.predict_video is predict_video
