import re

import numpy as np
import pytest
from made_up_tables import assert_same, example

from swapmark.data.items import Skipped
from swapmark.points.formats import read_points
from swapmark.points.table import Points


def found(count: int = 2, points: int = 3) -> Points:
    """What a model found: coordinates with many digits, and confidences."""
    return Points(
        tuple(f"p{k}" for k in range(points)),
        tuple(f"{row}.png" for row in range(count)),
        np.arange(count * points * 2, dtype=np.float32).reshape(count, points, 2) / 7,
        confidence=np.linspace(0, 1, count * points).reshape(count, points),
        sizes=np.tile([640, 480], (count, 1)),
    )


def test_points_of_a_model_are_saved_with_three_decimals_and_marked_ones_exactly(tmp_path):
    found().save(tmp_path / "new" / "points.csv")
    lines = (tmp_path / "new" / "points.csv").read_text().splitlines()
    assert lines[0].startswith("file,width,height,p0_x,p0_y,p0_confidence,p1_x")
    assert lines[2].startswith("1.png,640,480,0.857,1.0,0.6,1.143")
    marked = Points(("p",), ("a.png",), np.array([[[1 / 3, 2e-7]]]))
    marked.save(tmp_path / "marks.csv")
    assert_same(read_points(tmp_path / "marks.csv"), marked)


def test_a_data_frame_holds_the_same_without_rounding():
    frame = found().to_pandas()
    assert list(frame.columns) == found().columns
    assert np.array_equal(frame[["p1_x", "p1_y"]].to_numpy(), found().xy[:, 1])
    assert np.array_equal(frame["p2_confidence"], found().confidence[:, 2])


@pytest.mark.parametrize(("count", "points"), [(1, 1), (0, 2), (2, 0)])
def test_few_points_and_no_image_make_tables_too(tmp_path, count, points):
    table = found(count, points)
    assert len(table) == count
    assert [len(row) for row in table.rows()] == [3 + 3 * points] * count
    table.save(tmp_path / "points.csv")


def test_rows_are_taken_with_all_that_is_known_of_them():
    (second,) = (example().take([1]), example().take(np.array([False, True])))[:1]
    assert (second.files, second.split, second.group) == (("Zoë/1.png",), ("test",), ("",))
    assert second.sizes.tolist() == [[64, 48]]
    assert second.scale.tolist() == [0.02]
    assert np.array_equal(second.confidence, [[1.0, np.nan]], equal_nan=True)


@pytest.mark.parametrize(
    ("field", "value"),
    [("confidence", np.ones((2, 3))), ("sizes", np.ones((1, 2))), ("split", ("fit",))],
)
def test_fields_that_do_not_belong_together_are_refused(field, value):
    with pytest.raises((ValueError, TypeError), match=field):
        Points(("a", "b"), ("1", "2"), np.zeros((2, 2, 2)), **{field: value})


def test_it_says_what_it_is():
    skipped = (Skipped("b.png", "damaged"),)
    table = Points(("a",), ("v",), np.zeros((1, 1, 2)), frame=np.array([3]), skipped=skipped)
    assert re.search(r"1 frame, 1 point each, 1 skipped", repr(table))
