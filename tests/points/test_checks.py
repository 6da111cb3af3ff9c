from dataclasses import replace

import numpy as np
import pytest
from made_up_tables import example

from swapmark.errors import InputError
from swapmark.points.checks import check_points, check_sizes, check_unit, plain_name
from swapmark.points.table import Points


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"names": ("a", "a")}, "a, a"),
        ({"names": ("a", "")}, "points are a, ;"),
        ({"files": ("a.png", "")}, "row 2 .*file"),
        ({"files": ("a.png", "a.png")}, r"row 2 \(a\.png\).* row 1"),
        ({"split": ("fit", "val")}, "row 2 .*split is 'val'"),
        ({"xy": np.full((2, 2, 2), np.inf)}, r"row 1 \(a\.png\): left eye"),
        ({"xy": np.array([[[1, 2], [3, np.nan]]] * 2)}, "row 1 .*nose_x, nose_y"),
        ({"confidence": np.array([[1, 2], [3, np.inf]])}, "row 2 .*confidence"),
        ({"sizes": np.array([[1, np.inf], [1, 1]])}, "row 1 .*sizes"),
        ({"scale": np.array([np.inf, 1])}, "row 1 .*scale"),
        ({"frame": np.array([0, 1.5])}, "row 2 .*frame"),
        ({"frame": np.array([0, np.nan])}, "row 2 .*frame"),
        ({"frame": np.array([-1, 2])}, "row 1 .*frame"),
        ({"frame": np.array([1, 1e300])}, "row 2 .*frame"),
    ],
)
def test_what_no_format_could_keep_is_refused_with_its_row(changed, said):
    with pytest.raises(InputError, match=f"^The table.*{said}"):
        check_points(replace(example(), **changed), "The table")


def test_frames_of_one_video_are_different_rows():
    check_points(replace(example(), files=("v", "v"), frame=np.array([3, 4])), "The table")


def test_names_are_plain():
    assert plain_name("./a//b\\c.png") == "a/b/c.png"


def marks(*places, sizes=None) -> Points:
    files = tuple(f"{k}.png" for k in range(len(places)))
    return Points(("nose",), files, np.array(places, dtype=float)[:, None], sizes=sizes)


def test_marks_of_another_size_or_turn_are_refused_with_both_sizes():
    upright = np.array([[140.0, 160.0], [140, 160], [np.nan, np.nan]])

    def sized(*sizes):
        check_sizes(marks(*[(20, 20)] * 3, sizes=np.array([*sizes, (7, 7)])), upright)

    sized((140, 160), (np.nan, np.nan))
    sized((141, 160), (0, 0))  # rounded, and unknown
    with pytest.raises(InputError, match=r"160 × 140 .*0\.png.* 140 × 160.*unturned.*139 - y"):
        sized((160, 140), (160, 140))
    with pytest.raises(InputError, match=r"35 × 40 .*1\.png.* 140 × 160; 1 .*4 \(x \+ 0\.5\)"):
        sized((140, 160), (35, 40))


@pytest.mark.parametrize(
    ("places", "said", "of_sizes"),
    [
        ([(-0.46, -0.28), (0.3, 0.45)], "shapes.*fractions.*millimetres", False),
        ([(0.0, 1.0), (1.0, 0.5)], "shapes", False),
        ([(0.2, 62.9), (-0.4, 63.1)], "shapes", True),  # of TPS, from the bottom
        ([(900.0, 40.0), (20.0, 12000.0)], "times the picture", True),
    ],
)
def test_marks_that_are_no_pixels_are_called_what_they_are(places, said, of_sizes):
    with pytest.raises(InputError, match=said):
        check_unit(marks(*places), np.full((2, 2), 64))
    for unknown in (None, np.zeros((2, 2))):
        if of_sizes:
            check_unit(marks(*places), unknown)
        else:
            with pytest.raises(InputError, match=said):
                check_unit(marks(*places), unknown)
