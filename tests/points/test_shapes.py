"""Generalised Procrustes against shapes whose turn, size, place and variation are known."""

from dataclasses import replace

import numpy as np
import pytest

from swapmark.errors import InputError
from swapmark.points.csv import read_csv
from swapmark.points.table import Points

SHAPE = np.array([[0.0, 0], [8, 0], [9, 6], [3, 9], [-2, 5]])
TURNS, SIZES = np.linspace(-0.9, 0.7, 12), np.linspace(0.5, 3, 12)


def turned(shape, angle: float, size: float = 1.0, shift=(0.0, 0.0)) -> np.ndarray:
    cosine, sine = np.cos(angle), np.sin(angle)
    return size * shape @ np.array([[cosine, sine], [-sine, cosine]]) + np.array(shift)


def table(xy, **known) -> Points:
    xy = np.asarray(xy, dtype=float)
    files = tuple(f"{row}.png" for row in range(len(xy)))
    return Points(tuple("abcdefgh"[: xy.shape[1]]), files, xy, **known)


def specimens(noise: float = 0.0, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.stack(
        [
            turned(SHAPE + noise * random.normal(size=SHAPE.shape), angle, size, (50 * size, angle))
            for angle, size in zip(TURNS, SIZES, strict=True)
        ]
    )


def test_one_shape_turned_scaled_and_shifted_has_no_variance():
    shapes = table(specimens()).align()
    assert np.allclose(shapes.aligned, shapes.mean, atol=1e-12)
    assert np.allclose(shapes.distances, 0, atol=1e-12)
    centred = SHAPE - SHAPE.mean(axis=0)
    size = np.linalg.norm(centred)
    assert np.allclose(shapes.sizes, SIZES * size)
    assert np.allclose(shapes.mean, turned(centred / size, TURNS.mean()), atol=1e-9)


def test_missing_points_change_neither_mean_nor_sizes_of_one_shape():
    whole, xy = table(specimens()).align(), specimens()
    for row in range(len(xy)):
        xy[row, [row % 5, (row + 2) % 5][: 1 + row % 2]] = np.nan
    shapes = table(xy).align()
    assert np.allclose(shapes.mean, whole.mean, atol=1e-9)
    assert np.allclose(shapes.sizes, whole.sizes)
    assert np.isnan(shapes.aligned[0, 0]).all()
    assert np.allclose(shapes.distances, 0, atol=1e-9)


def test_no_other_mean_is_nearer():
    xy = specimens(noise=1.0)
    xy[3, 2] = np.nan
    shapes = table(xy).align()

    def cost(mean) -> float:
        z, w = xy[..., 0] + 1j * xy[..., 1], mean[:, 0] + 1j * mean[:, 1]
        total = weight = 0.0
        for one, there in zip(z, ~np.isnan(z), strict=True):
            design = np.stack([one[there], np.ones(there.sum())], axis=1)
            left = w[there] - design @ np.linalg.lstsq(design, w[there])[0]
            total += (np.abs(left) ** 2).sum()
            weight += (np.abs(w[there]) ** 2).sum()
        return total / weight

    random = np.random.default_rng(1)
    others = [shapes.mean + 0.01 * random.normal(size=shapes.mean.shape) for _ in range(50)]
    assert cost(shapes.mean) < min(cost(other - other.mean(axis=0)) for other in others)


def test_the_component_is_the_way_that_a_point_moves():
    ways = np.linspace(-1, 1, 12)
    moved = SHAPE + ways[:, None, None] * np.eye(5)[2][:, None] * np.array([0.1, 0.2])
    xy = [turned(one, angle) for one, angle in zip(moved, TURNS, strict=True)]
    shapes = table(xy).align()
    assert shapes.shares[0] > 0.999
    assert abs(np.corrcoef(shapes.scores[:, 0], ways)[0, 1]) > 0.999
    assert np.linalg.norm(shapes.axes[0], axis=1).argmax() == 2
    assert shapes.shares.shape == (6,)  # 2 P - 4
    assert set(shapes.outliers[:2].tolist()) == {0, 11}


def test_a_mirrored_specimen_is_the_outlier_and_is_not_mirrored_back():
    xy = specimens(noise=0.1)
    xy[4, :, 0] *= -1
    shapes = table(xy).align()
    assert shapes.outliers[0] == 4
    assert shapes.distances[4] > 5 * np.median(shapes.distances)


def test_sizes_are_in_the_unit_of_the_scale():
    xy = specimens()
    scale = np.full(len(xy), 0.01)
    assert np.allclose(table(xy, scale=scale).align().sizes, table(xy).align().sizes / 100)


def test_specimens_without_a_shape_are_left_out_with_the_reason():
    xy = specimens()
    xy[2, 2:], xy[5] = np.nan, 7.0
    shapes = table(xy).align()
    assert len(shapes.points) == 10
    assert [entry.file for entry in shapes.left_out] == ["2.png", "5.png"]
    assert "3" in shapes.left_out[0].reason
    assert "place" in shapes.left_out[1].reason


@pytest.mark.parametrize(
    ("there", "told"),
    [([[0, 1], [2, 3]], "fewer than 3"), ([[0, 1, 2], [3, 4, 5]], "never in a picture")],
    ids=["two points each", "no point in common"],
)
def test_what_has_no_mean_shape_is_refused(there, told):
    xy = np.full((2, 6, 2), np.nan)
    for row, points in enumerate(there):
        xy[row, points] = np.random.default_rng(row).normal(size=(len(points), 2))
    with pytest.raises(InputError, match=told):
        table(xy).align()


def test_few_specimens_and_a_point_that_none_has():
    xy = specimens(noise=0.5)[:2]
    xy[:, 1] = np.nan
    shapes = table(xy).align()
    assert np.isnan(shapes.mean[1]).all()
    assert shapes.axes.shape == (1, 5, 2)
    assert np.allclose(shapes.axes[0, 1], 0)
    alone = table(specimens()[:1]).align()
    assert (alone.axes.shape, alone.distances.round(9).tolist()) == ((0, 5, 2), [0])


def test_the_tables_hold_what_python_gives(tmp_path):
    points = table(specimens(noise=0.5))
    points = replace(points, group=("=1", "$b$") * 6)
    shapes = points.align()
    folder = shapes.save(tmp_path / "out")
    aligned = read_csv(folder / "aligned.csv")
    assert np.array_equal(aligned.xy, shapes.aligned)
    assert (aligned.files, aligned.group) == (points.files, points.group)
    rows = {
        name: [line.split(",") for line in (folder / f"{name}.csv").read_text().splitlines()]
        for name in ("sizes", "scores", "components")
    }
    assert [row[0] for row in rows["sizes"][1:]] == [points.files[n] for n in shapes.outliers]
    assert np.allclose(np.array(rows["scores"][1:])[:, 2:].astype(float), shapes.scores)
    assert [row[0] for row in rows["components"]] == [
        "component",
        "mean",
        *(f"PC{n}" for n in range(1, 7)),
    ]
    assert {"variation.png", "components.png", "outliers.png"} <= {p.name for p in folder.iterdir()}
    with pytest.raises(InputError, match=r"aligned\.csv"):
        shapes.save(folder)
