"""Landmarks in original pixels: a stub network finds a bright spot whose place is known."""

import io
import itertools
import weakref
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from swapmark.data.items import Item, Skipped
from swapmark.data.pixels import ImageProblem
from swapmark.data.sources import list_images
from swapmark.data.video import FrameSource, VideoFrame
from swapmark.errors import InputError, RunError
from swapmark.predict.find import open_network
from swapmark.predict.predict import predict_points

PLACES = [(8 + 2 * index, 10 + index) for index in range(40)]


def items(*contents: bytes | np.ndarray) -> list[Item]:
    return [
        Item(f"{index}.png", "", lambda content=content: content)
        for index, content in enumerate(contents)
    ]


def encoded(pixels: np.ndarray, kind: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("width", "height", "x", "y"),
    [(64, 64, 20, 40), (200, 100, 150.5, 30), (90, 240, 25, 200.25), (40, 30, 9, 21)],
)
@pytest.mark.parametrize("resize", ["pad", "crop"])
def test_landmarks_are_in_pixels_of_the_original(spotter, spot, width, height, x, y, resize):
    if resize == "crop" and width != height:  # the spot has to lie in the middle square
        x, y = (width - 1) / 2 + 0.1 * height, (height - 1) / 2 - 0.1 * width
    spotter.resize = resize
    found = predict_points(spotter, items(spot(width, height, x, y)))
    assert found.sizes.tolist() == [[width, height]]
    assert np.abs(found.xy[0, 0] - (x, y)).max() < 0.5
    assert (found.names, found.confidence.tolist()) == (("landmark_1",), [[0.75]])
    assert (found.frame, found.time) == (None, None)


@pytest.mark.parametrize(
    ("size", "place", "within"),
    # Of a large JPEG, decoded at a fraction, the network sees 23 pixels as one.
    [((200, 120), (150, 40), 0.5), ((1501, 1003), (1200, 333), 1.5)],
)
def test_landmarks_are_in_pixels_of_the_upright_image(spotter, spot, turn, size, place, within):
    stored, exif = turn(6, Image.fromarray(spot(*size, *place)))
    jpeg = encoded(np.asarray(stored), "JPEG", quality=95, exif=exif)
    found = predict_points(spotter, items(jpeg))
    assert found.sizes.tolist() == [list(size)]
    assert np.abs(found.xy[0, 0] - place).max() < within


def test_images_come_from_folders_files_lists_and_arrays(spotter, spot, tmp_path):
    picture = spot(80, 60, 30, 20)
    Image.fromarray(picture).save(tmp_path / "a.png")
    for source in (tmp_path, str(tmp_path / "a.png"), [tmp_path / "a.png"], [picture]):
        found = predict_points(spotter, source)
        assert np.abs(found.xy[0, 0] - (30, 20)).max() < 0.5
        assert found.source is source


def test_the_result_does_not_depend_on_the_batch_size(spotter, spot):
    random = np.random.default_rng(0)
    pictures = [
        spot(w, h, w * random.uniform(0.3, 0.7), h * random.uniform(0.3, 0.7))
        for w, h in random.integers(40, 200, (7, 2)).tolist()
    ]
    results = [
        predict_points(spotter, items(*pictures), batch_size=size, workers=size)
        for size in (1, 3, 64)
    ]
    assert spotter.batches == [1] * 7 + [3, 3, 1] + [7]
    for found in results[1:]:
        assert found.files == results[0].files
        assert np.allclose(found.xy, results[0].xy, atol=1e-9)


def test_skipped_images_are_listed_and_the_others_keep_their_names(spotter, spot, tmp_path):
    for index in range(3):
        (tmp_path / f"{index}.png").write_bytes(encoded(spot(60, 60, 10 + 20 * index, 30)))
    (tmp_path / "1a.png").write_bytes(b"")
    (tmp_path / "live.heic").write_bytes(b"of a camera")
    found = predict_points(spotter, tmp_path, batch_size=2)
    assert found.files == ("0.png", "1.png", "2.png")
    assert found.xy[:, 0, 0] == pytest.approx([10, 30, 50], abs=0.5)
    assert [entry.file for entry in found.skipped] == ["1a.png", "live.heic"]
    assert all(entry.reason for entry in found.skipped)


def test_when_nothing_can_be_used_the_reasons_are_told(spotter):
    with pytest.raises(InputError, match=r"2 images .*0\.png: the file is empty"):
        predict_points(spotter, items(b"", b"no image"))


@pytest.mark.parametrize("as_video", [False, True])
@pytest.mark.parametrize("broken", ["xy", "confidence"])
def test_what_is_no_number_is_refused_with_the_picture(spotter, spot, as_video, broken):
    find = spotter.find

    def answer(squares):
        xy, confidence = find(squares)
        (xy if broken == "xy" else confidence)[-1] = np.nan
        return xy, confidence

    spotter.find = answer
    options = {"frame_rate": 5} if as_video else {}
    with pytest.raises(RunError, match=r"NaN.*1\.png"):
        predict_points(spotter, items(*[spot(64, 64, 9, 9)] * 3), batch_size=2, **options)


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_each_frame_of_a_video_gets_a_row_in_its_own_pixels_and_time(film, spotter, batch_size):
    video = film("plain.mkv", PLACES)
    found = predict_points(spotter, video, batch_size=batch_size)
    assert found.frame.tolist() == list(range(40))
    assert found.time == pytest.approx([i / 25 for i in range(40)])
    assert (set(found.files), found.sizes.tolist()) == ({str(video)}, [[96, 64]] * 40)
    assert np.abs(found.xy[:, 0] - PLACES).max() < 0.3
    assert (found.skipped, found.source) == ((), video)
    assert max(spotter.batches) == min(40, batch_size)


def test_pictures_with_a_frame_rate_are_a_video_too(spotter, tmp_path):
    for number, (x, y) in zip((1, 2, 10), PLACES, strict=False):
        picture = np.full((64, 96), 30, np.uint8)
        picture[y - 5 : y + 6, x - 5 : x + 6] = 250
        Image.fromarray(picture).save(tmp_path / f"frame{number}.png")
    (tmp_path / "frame3.png").write_bytes(b"")
    found = predict_points(spotter, tmp_path, frame_rate=10)
    assert found.files == ("frame1.png", "frame2.png", "frame10.png")
    assert found.frame.tolist() == [0, 1, 3]
    assert found.time == pytest.approx([0, 0.1, 0.3])
    assert np.abs(found.xy[:, 0] - PLACES[:3]).max() < 0.3
    assert found.skipped == (Skipped("frame3.png", "frame 2: the file is empty"),)


def camera(count: int | None, *, step: float | None = 0.1, read=None) -> FrameSource:
    read = read or (lambda: np.full((64, 96, 3), 30, np.uint8))
    numbers = itertools.count() if count is None else range(count)
    return FrameSource(
        "camera",
        lambda: (VideoFrame(i, step and i * step, "camera", read) for i in numbers),
        frame_rate=Fraction(10),
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, list(range(10))),
        ({"every": 4}, [0, 4, 8]),
        ({"start": 0.35}, [4, 5, 6, 7, 8, 9]),
        ({"stop": 0.25}, [0, 1, 2]),
        ({"every": 2, "start": 0.25, "stop": 0.75}, [3, 5, 7]),
    ],
)
def test_the_frames_asked_for_are_chosen(spotter, options, expected):
    assert predict_points(spotter, camera(10), **options).frame.tolist() == expected


def test_nothing_is_read_after_the_stop(spotter):
    assert len(predict_points(spotter, camera(None), stop=1.0)) == 10


def test_frames_without_time_stamps_can_be_counted_but_not_cut_by_time(spotter):
    found = predict_points(spotter, camera(4, step=None), every=2)
    assert found.frame.tolist() == [0, 2]
    assert np.isnan(found.time).all()
    with pytest.raises(InputError, match="Frame 0 of camera"):
        predict_points(spotter, camera(4, step=None), start=1.0)


def test_a_frame_that_cannot_be_read_is_listed_with_its_number(spotter):
    def fail():
        raise ImageProblem("too small")

    with pytest.raises(InputError, match="camera: frame 0: too small"):
        predict_points(spotter, camera(1, read=fail))


def test_frames_in_memory_do_not_grow_with_the_video(spotter):
    alive: list[weakref.ref] = []
    most = []
    find = spotter.find

    def read():
        pixels = np.full((64, 96, 3), 30, np.uint8)
        alive.append(weakref.ref(pixels))
        return pixels

    def count_and_find(squares):
        most.append(sum(reference() is not None for reference in alive))
        return find(squares)

    spotter.find = count_and_find
    assert len(predict_points(spotter, camera(300, read=read), batch_size=8)) == len(alive) == 300
    assert max(most) <= 2, "whole frames: only the one that is being read"


def test_the_video_is_closed_when_something_stops_it(spotter):
    closed = []

    def frames():
        try:
            yield from camera(100).frames()
        finally:
            closed.append(True)

    def fail(_):
        raise KeyboardInterrupt

    spotter.find = fail
    with pytest.raises(KeyboardInterrupt):
        predict_points(spotter, FrameSource("camera", frames), batch_size=2)
    assert closed == [True]


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"every": 0}, "every"),
        ({"start": float("nan")}, "start"),
        ({"start": 2.0, "stop": 1.0}, "start"),
        ({"frame_rate": 5.0}, "frame_rate"),
        ({"start": 90.0}, r"plain\.mkv.* start 90"),
        ({"stop": -1.0}, r"plain\.mkv.* stop -1"),
    ],
)
def test_options_that_make_no_sense_are_refused(film, spotter, options, name):
    with pytest.raises(InputError, match=name):
        predict_points(spotter, film("plain.mkv", PLACES), **options)


@pytest.mark.parametrize("options", [{"every": 2}, {"start": 0.0}, {"stop": 1.0}])
def test_options_of_videos_are_refused_for_pictures(spotter, spot, options):
    with pytest.raises(InputError, match=f"{next(iter(options))}.*frame_rate"):
        predict_points(spotter, [spot(64, 64, 9, 9)], **options)


def test_the_built_in_model_finds_what_it_found_before(shared_data):
    items = list_images(shared_data / "lfw.zip")[:3]
    found = predict_points(open_network("faces", "cpu"), items)
    expected = [[37.735, 37.064], [41.361, 39.675], [35.241, 42.529]]
    assert np.abs(found.xy[:, 0] - expected).max() < 0.01
