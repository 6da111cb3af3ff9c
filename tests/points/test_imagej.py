"""ImageJ's results, a row a point: as its Analyzer writes them."""

import numpy as np
import pytest

from swapmark.errors import InputError, LeftOutWarning
from swapmark.points.formats import read_points

NONE = [np.nan, np.nan]


@pytest.mark.parametrize(
    ("name", "text", "names", "files", "xy"),
    [
        (  # by their order; tabs, and what Summarize adds
            "Results.xls",
            " \tLabel\tArea\tX\tY\n1\ta.tif\t0\t1.5\t2\n2\ta.tif\t0\t3\t4\n3\tb.tif\t0\t5\t6\n"
            "4\tb.tif:0006-0005\t0\t7\t8\n5\tMean\t0\t4\t5\n6\tSD\t0\t1\t1\n7\tMin\t0\t1\t2\n"
            "8\tMax\t0\t7\t8\n",
            ("landmark_1", "landmark_2"),
            ("a.tif", "b.tif"),
            [[[1.5, 2], [3, 4]], [[5, 6], [7, 8]]],
        ),
        (  # by counters; an image sequence, whose slices have the names of files
            "Results.csv",
            " ,Label,X,Y,Slice,Counter,Count\n1,photos:a,1,2,1,0,2\n2,photos:a,3,4,1,1,2\n"
            "3,photos:tip:b,7,8,2,1,2\n",
            ("landmark_1", "landmark_2"),
            ("a", "b"),
            [[[1, 2], [3, 4]], [NONE, [7, 8]]],
        ),
        (  # by the names of ROIs
            "Results.csv",
            " ,Label,X,Y\n1,a.png:tip,1,2\n2,a.png:base,3,4\n3,b.png:base,7,8\n",
            ("tip", "base"),
            ("a.png", "b.png"),
            [[[1, 2], [3, 4]], [NONE, [7, 8]]],
        ),
    ],
)
def test_a_row_a_point_becomes_a_row_an_image(tmp_path, name, text, names, files, xy):
    (tmp_path / name).write_text(text)
    with pytest.warns(LeftOutWarning, match="taken for pixels"):
        points = read_points(tmp_path / name)
    assert (points.names, points.files) == (names, files)
    assert np.array_equal(points.xy, xy, equal_nan=True)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (" ,Area,X,Y\n1,0,1,2\n", "Display label"),
        (" ,Label,X,Y\n1,a.png,1,2\n2,a.png,3,4\n3,b.png,7,8\n", r"1 points of b\.png.*Counter"),
        (" ,Label,X,Y,Slice\n1,film.avi:1,1,2,1\n2,film.avi:2,3,4,2\n", "Image Sequence"),
        (" ,Label,X,Y,Slice\n1,photos:a,1,2,1\n2,photos:a,3,4,2\n", "the one that is shown"),
        (" ,Label,X,Y\n1,a.png,1,far\n", r"line 2.*landmark_1_y is 'far'"),
    ],
)
@pytest.mark.filterwarnings("ignore::swapmark.errors.LeftOutWarning")
def test_what_images_and_points_cannot_be_told_of_is_refused(tmp_path, text, told):
    (tmp_path / "Results.csv").write_text(text)
    with pytest.raises(InputError, match=told):
        read_points(tmp_path / "Results.csv")
