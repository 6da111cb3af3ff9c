from dataclasses import replace

import numpy as np
import pytest
from made_up_tables import example

from swapmark.errors import InputError
from swapmark.points.checks import check_points, plain_name


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
