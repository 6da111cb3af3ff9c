from fractions import Fraction

import av
import numpy as np
import pytest

from swapmark.drawing.film import Film
from swapmark.errors import OutputError

GREY = 120


def write(path, times, *, sizes=None, rate=Fraction(25)):
    with Film(path, path.suffix, rate) as film:
        for time, (width, height) in zip(times, sizes or [(96, 64)] * len(times), strict=True):
            film.add(np.full((height, width, 3), GREY, np.uint8), time)
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        return (
            [frame.time for frame in frames],
            [frame.to_ndarray(format="rgb24") for frame in frames],
            container.streams.video[0],
        )


@pytest.mark.parametrize("name", ["a.mp4", "a.MKV", "a.mov"])
def test_frames_keep_their_number_size_and_times(tmp_path, name):
    asked = [0.0, 0.1, 0.15, 0.4, 1.0, 1.001]
    times, frames, stream = write(tmp_path / name, asked)
    assert times == pytest.approx(asked)
    assert [frame.shape for frame in frames] == [(64, 96, 3)] * 6
    assert np.abs(frames[0] - float(GREY)).max() < 4
    assert stream.codec_context.name == "h264"


def test_the_frame_rate_is_that_of_the_source(tmp_path):
    rate = Fraction(30000, 1001)
    asked = [index / float(rate) for index in range(30)]
    times, _, stream = write(tmp_path / "a.mp4", asked, rate=rate)
    assert times == pytest.approx(asked, abs=1e-6)
    assert float(stream.average_rate) == pytest.approx(float(rate), rel=1e-3)


def test_odd_sides_are_cut_and_another_size_is_fitted_into_the_first_one(tmp_path):
    sizes = [(97, 65), (97, 65), (64, 96)]
    _, frames, _ = write(tmp_path / "a.mp4", [0.0, 0.1, 0.2], sizes=sizes)
    assert [frame.shape for frame in frames] == [(64, 96, 3)] * 3
    assert np.abs(frames[1] - float(GREY)).max() < 4
    assert frames[2][32, 48].mean() == pytest.approx(GREY, abs=4)
    assert frames[2][32, 4].mean() < 10


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_times_that_go_back_follow_the_frame_before(tmp_path, name):
    times, _, _ = write(tmp_path / name, [0.5, 0.2, 0.2, 1.0])
    assert times == pytest.approx([0.5, 0.5, 0.5, 1.0], abs=2e-3)


def test_mpeg4_stands_in_where_there_is_no_h264(tmp_path, monkeypatch):
    monkeypatch.setattr(av, "codecs_available", av.codecs_available - {"libx264"})
    asked = [0.0, 0.1, 0.15, 0.4]
    times, frames, stream = write(tmp_path / "a.mp4", asked)
    assert stream.codec_context.name == "mpeg4"
    assert times == pytest.approx(asked, abs=1e-4)
    assert frames[0].shape == (64, 96, 3)


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(OutputError, match=r"a\.mp4"):
        write(tmp_path / "absent" / "a.mp4", [0.0])
