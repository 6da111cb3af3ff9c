from fractions import Fraction

import av
import numpy as np
import pytest

from swapmark.drawing.colours import landmark_colours
from swapmark.drawing.overlay import OverlayVideo, check_overlay_name
from swapmark.errors import InputError, OutputError

GREY = 120


def write(path, times, *, sizes=None, time_base=Fraction(1, 1000), rate=Fraction(25), confidence=1):
    with OverlayVideo(path, path.suffix, frame_rate=rate, time_base=time_base) as video:
        for time, (width, height) in zip(times, sizes or [(96, 64)] * len(times), strict=True):
            frame = np.full((height, width, 3), GREY, np.uint8)
            video.add(frame, time, np.array([[30.0, 20.0]]), np.array([float(confidence)]))
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        return (
            [frame.time for frame in frames],
            [frame.to_ndarray(format="rgb24") for frame in frames],
            container.streams.video[0],
        )


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov"])
def test_frames_keep_their_number_size_and_times(tmp_path, name):
    asked = [0.0, 0.1, 0.15, 0.4, 1.0, 1.001]
    times, frames, stream = write(tmp_path / name, asked)
    assert times == pytest.approx(asked)
    assert [frame.shape for frame in frames] == [(64, 96, 3)] * 6
    assert stream.codec_context.name == "h264"


def test_the_frame_rate_is_that_of_the_source(tmp_path):
    rate = Fraction(30000, 1001)
    asked = [index / float(rate) for index in range(30)]
    times, _, stream = write(tmp_path / "a.mp4", asked, rate=rate, time_base=Fraction(1, 30000))
    assert times == pytest.approx(asked, abs=1e-6)
    assert float(stream.average_rate) == pytest.approx(float(rate), rel=1e-3)


def test_a_landmark_is_a_dot_of_its_colour_and_fainter_where_unsure(tmp_path):
    colour = np.array(landmark_colours(1)[0])
    (_, sure, _), (_, unsure, _) = (
        write(tmp_path / f"{level}.mp4", [0.0], confidence=level) for level in (1, 0)
    )
    assert np.abs(sure[0][20, 30] - colour.astype(float)).max() < 30  # 4:2:0 blurs colours
    faint = GREY + 0.3 * (colour - GREY)
    assert np.abs(unsure[0][20, 30] - faint).max() < 30
    assert np.abs(sure[0][50:, 70:] - float(GREY)).max() < 4


def test_odd_sizes_get_a_border_and_nothing_is_scaled(tmp_path):
    _, frames, _ = write(tmp_path / "a.mp4", [0.0, 0.1], sizes=[(97, 63)] * 2)
    assert frames[0].shape == (64, 98, 3)
    _, even, _ = write(tmp_path / "b.mp4", [0.0], sizes=[(96, 62)])
    assert np.abs(frames[0][:62, :96] - even[0].astype(float)).mean() < 1
    assert np.abs(frames[0][-1] - float(GREY)).max() < 4


def test_a_frame_of_another_size_is_fitted_into_the_first_one(tmp_path):
    _, frames, _ = write(tmp_path / "a.mp4", [0.0, 0.1], sizes=[(96, 64), (64, 96)])
    assert [frame.shape for frame in frames] == [(64, 96, 3)] * 2
    assert frames[1][32, 48].mean() == pytest.approx(GREY, abs=4)
    assert frames[1][32, 4].mean() < 10


def test_times_that_are_missing_or_go_back_follow_the_frame_before(tmp_path):
    times, _, _ = write(tmp_path / "a.mp4", [None, None, 0.5, 0.2, None])
    assert times == pytest.approx([0.0, 0.04, 0.5, 0.501, 0.541])


def test_mpeg4_stands_in_where_there_is_no_h264(tmp_path, monkeypatch):
    monkeypatch.setattr(av, "codecs_available", av.codecs_available - {"libx264"})
    asked = [0.0, 0.1, 0.15, 0.4]
    times, frames, stream = write(tmp_path / "a.mp4", asked, time_base=Fraction(1, 90000))
    assert stream.codec_context.name == "mpeg4"
    assert times == pytest.approx(asked, abs=1e-4)
    assert frames[0].shape == (64, 96, 3)


def test_an_ending_of_no_video_is_refused(tmp_path):
    for name in ("a.gif", "a", "a.png"):
        with pytest.raises(InputError, match=r"an overlay video is written as one of \.mkv"):
            check_overlay_name(tmp_path / name)
    check_overlay_name(tmp_path / "a.MP4")


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(OutputError, match="could not be written"):
        write(tmp_path / "absent" / "a.mp4", [0.0])
