"""Frames of videos that are drawn, turned, cut and damaged, and of pictures.

Where its square is tells which frame of a video it is.
"""

import gc
import shutil
import struct
import sys
import wave
import zipfile
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from swapmark.data.items import Skipped, is_video_name
from swapmark.data.pixels import ImageProblem
from swapmark.data.video import (
    VideoFrame,
    frames_of_images,
    open_video,
    upright,
)
from swapmark.errors import InputError

H264 = ("libx264", "yuv420p")
PLACES = [(8 + 2 * index, 10 + index) for index in range(40)]
ONE = 1 << 16
TURNS = {
    "upright": ((ONE, 0, 0, ONE), lambda picture: picture),
    "clockwise": ((0, ONE, -ONE, 0), lambda picture: np.rot90(picture, 1)),
    "half": ((-ONE, 0, 0, -ONE), lambda picture: np.rot90(picture, 2)),
    "anticlockwise": ((0, -ONE, ONE, 0), lambda picture: np.rot90(picture, 3)),
    "mirrored": ((-ONE, 0, 0, ONE), lambda picture: picture[:, ::-1]),
    "transposed": ((0, ONE, ONE, 0), lambda picture: picture.swapaxes(0, 1)),
}
"""(a, b, c, d) of the display matrix, and how a picture is stored that it shows upright."""


def middle(pixels: np.ndarray) -> tuple[float, float]:
    """Where the white square is."""
    rows, columns = np.nonzero(pixels.mean(axis=-1) > 140)
    return columns.mean(), rows.mean()


def read(path) -> tuple[list[VideoFrame], list[np.ndarray], list[str]]:
    frames, pixels, reasons = [], [], []
    for frame in open_video(path).frames():
        if isinstance(frame, Skipped):
            assert frame.file == str(path)
            reasons.append(frame.reason)
        else:
            frames.append(frame)
            pixels.append(frame.read())
    return frames, pixels, reasons


def test_every_frame_comes_once_in_order_with_its_time(film):
    path = film("plain.mkv", PLACES)
    frames, pixels, reasons = read(path)
    assert [frame.index for frame in frames] == list(range(40))
    assert [frame.time for frame in frames] == pytest.approx([i / 25 for i in range(40)])
    assert {frame.name for frame in frames} == {str(path)}
    assert [middle(frame) for frame in pixels] == PLACES
    assert pixels[0].shape == (64, 96, 3)
    assert pixels[0].dtype == np.uint8
    assert set(np.unique(pixels[0])) == {30, 250}
    assert reasons == []


def test_frames_are_let_go_without_waiting_for_the_garbage_collector(film):
    path = film("plain.mkv", PLACES)
    gc.collect()
    gc.disable()
    try:
        for frame in open_video(path).frames():
            frame.read()
        assert sum(type(thing) is av.VideoFrame for thing in gc.get_objects()) < 5
    finally:
        gc.enable()


def test_the_header_tells_the_count_and_the_rate(film):
    for source in (film("plain.mp4", PLACES, codec=H264), film("plain.mkv", PLACES)):
        source = open_video(source)
        assert (source.count, source.frame_rate) == (40, 25)


def test_times_of_a_variable_frame_rate_are_those_of_the_file(film):
    ticks = [0, 100, 150, 400, 1000, 1001]
    frames, _, reasons = read(film("variable.mkv", PLACES[:6], ticks=ticks))
    assert [frame.time for frame in frames] == pytest.approx([tick / 1000 for tick in ticks])
    assert reasons == []


def set_matrix(path, matrix: tuple[int, int, int, int]) -> None:
    """Write a display matrix into the track header of an mp4."""
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 44
    a, b, c, d = matrix
    assert struct.unpack_from(">9i", data, place) == (ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30)
    struct.pack_into(">9i", data, place, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


@pytest.mark.parametrize("turn", TURNS)
def test_frames_are_turned_upright_as_the_file_says(film, turn):
    matrix, stored = TURNS[turn]
    path = film(f"{turn}.mp4", PLACES[:5], stored=stored, codec=H264)
    set_matrix(path, matrix)
    _, pixels, _ = read(path)
    for picture, place in zip(pixels, PLACES[:5], strict=True):
        assert picture.shape == (64, 96, 3)
        assert middle(picture) == pytest.approx(place, abs=0.5)


def test_a_turn_that_is_crooked_is_the_nearest_quarter_and_no_matrix_is_none():
    picture = np.arange(6, dtype=np.uint8).reshape(2, 3, 1)
    crooked = np.array([0.1, 0.99, 0, -0.99, 0.1, 0, 0, 0, 1])
    assert upright(picture, crooked)[..., 0].tolist() == [[3, 0], [4, 1], [5, 2]]
    assert upright(picture, None) is picture
    assert upright(picture, np.zeros(9)) is picture


def test_a_size_that_changes_inside_the_stream_is_followed(film, tmp_path):
    first = film("first.ts", PLACES[:5], codec=H264)
    second = film(
        "second.ts", PLACES[:5], ticks=[400, 440, 480, 520, 560], size=(64, 80), codec=H264
    )
    both = tmp_path / "both.ts"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    _, pixels, _ = read(both)
    assert [picture.shape[:2] for picture in pixels] == [(64, 96)] * 5 + [(80, 64)] * 5


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("cut.mkv", ("ffv1", "bgr0"), {}),
        ("cut.webm", ("libvpx", "yuv420p"), {}),
        ("cut.mp4", H264, {"movflags": "faststart"}),
    ],
)
def test_a_file_that_is_cut_off_gives_the_frames_before_and_says_so(film, name, codec, options):
    path = film(name, PLACES, codec=codec, **options)
    data = path.read_bytes()
    header = max(0, data.find(b"mdat"))
    path.write_bytes(data[: header + (len(data) - header) * 6 // 10])
    frames, pixels, reasons = read(path)
    assert 5 <= len(frames) < 40
    assert [frame.index for frame in frames] == list(range(len(frames)))
    for picture, place in zip(pixels, PLACES, strict=False):
        assert middle(picture) == pytest.approx(place, abs=1)
    assert any(f"{frames[-1].time + 0.04:.2f} s of the 1.60 s" in reason for reason in reasons)


def test_damage_in_the_middle_is_told_and_what_follows_is_read(film):
    path = film("damaged.mp4", PLACES, codec=("mjpeg", "yuvj420p"))
    data = bytearray(path.read_bytes())
    starts = [place for place in range(len(data)) if data[place : place + 3] == b"\xff\xd8\xff"]
    data[starts[20] : starts[21]] = bytes(starts[21] - starts[20])
    path.write_bytes(data)
    frames, _, reasons = read(path)
    assert len(frames) == 39
    assert frames[-1].time == pytest.approx(39 / 25)
    assert len(reasons) == 1
    assert "0.80 s" in reasons[0]


@pytest.mark.parametrize("codec", [("mjpeg", "yuvj420p"), ("ffv1", "bgr0")])
@pytest.mark.parametrize("dropped", [set(), {4, 5, 9}, {1}])
def test_frames_that_the_header_promises_and_the_file_lacks_are_told(tmp_path, codec, dropped):
    left = [number for number in range(12) if number not in dropped]
    with av.open(str(tmp_path / "dropped.avi"), "w") as container:
        stream = container.add_stream(codec[0], rate=25, width=96, height=64)
        stream.pix_fmt = codec[1]
        for number in left:  # as cameras do, the container fills gaps with chunks of length 0
            frame = av.VideoFrame.from_ndarray(np.full((64, 96, 3), 20 * number, np.uint8))
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    frames, pixels, reasons = read(tmp_path / "dropped.avi")
    assert [frame.time for frame in frames] == pytest.approx([number / 25 for number in left])
    assert [picture.mean() for picture in pixels] == pytest.approx([20 * n for n in left], abs=3)
    assert len(reasons) == bool(dropped)
    assert all(f"{len(dropped)} of the 12 frames" in reason for reason in reasons)


@pytest.mark.parametrize(("name", "codec"), [("a.h264", "libx264"), ("a.H265", "libx265")])
def test_a_raw_stream_is_read_as_a_video_without_times(film, name, codec):
    path = film(name, PLACES[:12], codec=(codec, "yuv420p"))
    frames, pixels, reasons = read(path)
    assert is_video_name(name)
    assert [middle(picture) for picture in pixels] == [pytest.approx(p, abs=1) for p in PLACES[:12]]
    assert [frame.time for frame in frames] == [None] * 12
    assert reasons == []


def test_a_video_without_a_frame_says_so(film):
    path = film("empty.mp4", PLACES[:3], codec=H264, movflags="faststart")
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"mdat") + 8])
    frames, _, reasons = read(path)
    assert frames == []
    assert reasons[-1] == "holds no frame that can be decoded"


def test_a_file_that_is_no_video_is_named(film, tmp_path):
    (tmp_path / "text.mp4").write_text("no video at all")
    shutil.copy(film("whole.mp4", PLACES, codec=H264), tmp_path / "unfinished.mp4")
    (tmp_path / "unfinished.mp4").write_bytes((tmp_path / "unfinished.mp4").read_bytes()[:1000])
    with wave.open(str(tmp_path / "sound.avi"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16000))
    for name in ("absent.mp4", "text.mp4", "unfinished.mp4", "sound.avi"):
        with pytest.raises(InputError, match=name):
            open_video(tmp_path / name)


def test_without_the_extra_the_line_to_install_it_is_told(film, monkeypatch):
    path = film("plain.mkv", PLACES)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(InputError, match=r"pip install 'swapmark\[video\]'"):
        open_video(path)


NAMES = ["Frame10.png", "frame2.png", "frame1.png"]


@pytest.fixture
def folder(tmp_path):
    for name in NAMES:
        number = int(name[5:-4])
        Image.new("RGB", (8 + number, 6), (number, 0, 0)).save(tmp_path / name)
    return tmp_path


def test_pictures_come_in_natural_order_with_their_times_and_lists_keep_theirs(folder, tmp_path):
    with zipfile.ZipFile(tmp_path / "frames.zip", "w") as archive:
        for name in NAMES:
            archive.write(folder / name, name)
    for source in (folder, tmp_path / "frames.zip"):
        frames = list(frames_of_images(source, 2.0).frames())
        assert [frame.name for frame in frames] == ["frame1.png", "frame2.png", "Frame10.png"]
        assert [frame.index for frame in frames] == [0, 1, 2]
        assert [frame.time for frame in frames] == [0, 0.5, 1]
        assert [frame.read()[0, 0, 0] for frame in frames] == [1, 2, 10]
    listed = frames_of_images([folder / name for name in NAMES], 1).frames()
    assert [frame.name for frame in listed] == [str(folder / name) for name in NAMES]


def test_a_picture_that_cannot_be_read_keeps_its_place_in_time_and_a_preview_has_none(folder):
    (folder / "frame2.png").write_bytes(b"")
    (folder / "frame1.gif").write_bytes(b"GIF89a")
    preview, *frames = frames_of_images(folder, 10).frames()
    assert isinstance(preview, Skipped)
    assert preview.file == "frame1.gif"
    assert [frame.time for frame in frames] == [0, 0.1, 0.2]
    with pytest.raises(ImageProblem, match="empty"):
        frames[1].read()


def test_a_rate_is_taken_as_the_simple_fraction_it_stands_for():
    picture = np.zeros((8, 8), np.uint8)
    assert frames_of_images([picture], 29.97002997).frame_rate == Fraction(30000, 1001)


def test_a_rate_that_is_none_is_refused(folder):
    for rate in (0, -1, float("nan"), float("inf")):
        with pytest.raises(InputError, match="frame_rate"):
            frames_of_images(folder, rate)
