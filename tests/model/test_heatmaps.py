"""Points of heatmaps, and Gaussians at points, against closed forms."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from swapmark.model.heatmaps import (
    cell_centres,
    confidences,
    gaussians,
    soft_argmax,
    spatial_softmax,
)


def peaks(*cells: tuple[int, int], size: int = 16) -> torch.Tensor:
    """One probability map with equal mass in each of the (row, column) cells."""
    maps = torch.zeros(1, 1, size, size)
    for row, column in cells:
        maps[0, 0, row, column] = 1 / len(cells)
    return maps


def test_cells_tile_the_unit_interval():
    centres = cell_centres(8)
    assert centres[0] == -1 + 1 / 8
    torch.testing.assert_close(centres.diff(), torch.full((7,), 2 / 8))
    torch.testing.assert_close(centres, -centres.flip(0))


@pytest.mark.parametrize(("row", "column"), [(0, 0), (3, 14), (15, 8)])
def test_all_mass_in_one_cell_is_the_centre_of_that_cell(row, column):
    point = soft_argmax(peaks((row, column)))[0, 0]
    centres = cell_centres(16)
    torch.testing.assert_close(point, torch.stack([centres[column], centres[row]]))


def test_maps_need_not_be_square():
    maps = torch.zeros(1, 1, 4, 8)
    maps[0, 0, 3, 0] = 1
    assert soft_argmax(maps)[0, 0].tolist() == [-1 + 1 / 8, 1 - 1 / 4]
    assert gaussians(torch.zeros(1, 1, 2), 4, 8, 0.5).shape == (1, 1, 4, 8)


def test_softmax_of_scores_is_a_distribution_over_the_cells():
    scores = 5 * torch.randn(2, 3, 6, 4, generator=torch.Generator().manual_seed(0))
    maps = spatial_softmax(scores)
    assert maps.min() >= 0
    torch.testing.assert_close(maps.sum(dim=(-2, -1)), torch.ones(2, 3))
    torch.testing.assert_close(maps, spatial_softmax(scores + 7))
    ratio = maps[0, 0, 1, 2] / maps[0, 0, 5, 3]
    torch.testing.assert_close(ratio, (scores[0, 0, 1, 2] - scores[0, 0, 5, 3]).exp())


@given(st.floats(-0.6, 0.6), st.floats(-0.6, 0.6), st.sampled_from([0.15, 0.2]))
def test_a_gaussian_leads_back_to_its_point(x, y, sigma):
    point = torch.tensor([[[x, y]]])
    drawn = gaussians(point, 16, 16, sigma)
    found = soft_argmax(drawn / drawn.sum())
    # A hundredth of a cell, of which there are 16 in 2 unit lengths.
    torch.testing.assert_close(found, point, atol=0.01 * 2 / 16, rtol=0)


def test_a_gaussian_has_the_stated_height_and_width():
    # The centre of an odd number of cells is a cell centre.
    drawn = gaussians(torch.zeros(1, 1, 2), 5, 5, 0.4)[0, 0]
    assert drawn[2, 2] == 1
    assert drawn[2, 3].item() == pytest.approx(torch.tensor(-1.0).exp().item())  # d = σ
    assert drawn[3, 3].item() == pytest.approx(torch.tensor(-2.0).exp().item())


def confidence(maps: torch.Tensor, sigma: float = 0.15) -> float:
    return confidences(maps, soft_argmax(maps), sigma).item()


def test_two_far_peaks_are_not_certain_and_confidence_falls_as_a_peak_widens():
    assert confidence(peaks((4, 9))) == pytest.approx(1)
    assert confidence(peaks((4, 2), (4, 13))) < 0.01
    widths = (0.05, 0.1, 0.2, 0.4, 0.8)
    maps = [gaussians(torch.zeros(1, 1, 2), 32, 32, width) for width in widths]
    values = [confidence(drawn / drawn.sum()) for drawn in maps]
    assert values == sorted(values, reverse=True)
    assert all(0 <= value <= 1 for value in values)


def test_autocast_does_not_round_the_points():
    maps = spatial_softmax(torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1)))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = soft_argmax(maps)
    assert cast.dtype == torch.float32
    assert torch.equal(cast, soft_argmax(maps))
