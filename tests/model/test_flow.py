"""The cross-image flow against identities, known shifts and a dense 4-D convolution."""

from math import inf

import pytest
import torch
from einops import rearrange

from swapmark.model.flow import (
    ConsensusFilter,
    CrossImageFlow,
    argmax_transfer,
    carried_points,
    correlation,
    expected_places,
    flow_features,
    matched_nearby,
    matches,
    soft_transfer,
    transposed,
)
from swapmark.model.heatmaps import gaussians

SIZE = 8
CELL = 2 / SIZE
"""Side of a cell in unit lengths."""


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def features() -> torch.Tensor:
    return noise(2, 32, SIZE, SIZE)


@pytest.fixture
def random_filter() -> ConsensusFilter:
    torch.manual_seed(0)
    module = ConsensusFilter(channels=4)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return module


def own_places(height: int = SIZE, width: int = SIZE) -> torch.Tensor:
    x = (torch.arange(width) + 0.5) * (2 / width) - 1
    y = (torch.arange(height) + 0.5) * (2 / height) - 1
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)


def test_correlation_is_the_cosine_of_every_two_cells():
    first, second = noise(2, 5, 3, 4), noise(2, 5, 6, 2, seed=1)
    volume = correlation(first, second)
    assert volume.shape == (2, 6, 2, 3, 4)
    expected = torch.cosine_similarity(first[1, :, 2, 3], second[1, :, 5, 0], dim=0)
    torch.testing.assert_close(volume[1, 5, 0, 2, 3], expected)
    assert volume.abs().max() <= 1 + 1e-6
    torch.testing.assert_close(transposed(volume), correlation(second, first))


@pytest.mark.parametrize("locality", [inf, 0.3])
def test_matches_of_each_cell_sum_to_one(locality):
    match = matches(correlation(noise(2, 5, 3, 4), noise(2, 5, 6, 2, seed=1)), 0.1, locality)
    assert match.shape == (2, 6, 2, 3, 4)
    assert match.min() >= 0
    torch.testing.assert_close(match.sum(dim=(-2, -1)), torch.ones(2, 6, 2))


def test_locality_weighs_cells_by_a_gaussian_of_their_distance():
    match = matches(torch.zeros(1, SIZE, SIZE, SIZE, SIZE), 1.0, locality=0.4)[0, 2, 5]
    square = (own_places() - own_places()[2, 5]).square().sum(dim=-1)
    expected = torch.exp(-square / (2 * 0.4**2))
    torch.testing.assert_close(match, expected / expected.sum())


def test_an_image_matches_itself_in_place(features):
    match = matches(correlation(features, features), 0.01, inf)
    expected = own_places().expand(2, -1, -1, -1)
    torch.testing.assert_close(expected_places(match), expected, atol=1e-4, rtol=0)
    maps = noise(2, 3, SIZE, SIZE, seed=2)
    assert torch.equal(argmax_transfer(match, maps), maps)
    torch.testing.assert_close(soft_transfer(match, maps), maps, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("right", "down"), [(1, 0), (0, -2), (2, 1)])
def test_a_shift_by_whole_cells_is_found(features, right, down):
    """j is i moved by (right, down) cells, so each cell of j comes from that far left and up."""
    moved = features.roll((down, right), dims=(-2, -1))
    match = matches(correlation(features, moved), 0.01, inf)
    interior = (slice(None), slice(2, -2), slice(2, -2))
    shift = CELL * torch.tensor([right, down])
    places = expected_places(match)
    expected = (own_places() - shift).expand_as(places)
    torch.testing.assert_close(places[interior], expected[interior], atol=1e-4, rtol=0)
    maps = noise(2, 3, SIZE, SIZE, seed=2)
    rolled = maps.roll((down, right), dims=(-2, -1))
    assert torch.equal(argmax_transfer(match, maps), rolled)
    torch.testing.assert_close(soft_transfer(match, maps), rolled, atol=1e-4, rtol=0)
    points = torch.tensor([[[0.0, 0.0], [0.05, -0.1]], [[-0.1, 0.02], [0.07, 0.1]]])
    carried = carried_points(match, points, sigma=0.2)
    torch.testing.assert_close(carried, points + shift, atol=0.02, rtol=0)


def test_autocast_does_not_round_the_carried_points(features):
    match = matches(correlation(features, features.roll(1, dims=-1)), 0.01, inf)
    points = torch.tensor([[[0.013, 0.207]], [[0.311, -0.302]]])
    expected = carried_points(match, points, 0.2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = carried_points(match, points, 0.2)
    assert torch.equal(cast, expected)


def test_the_untrained_filter_passes_the_volume_through(features):
    volume = correlation(features, features.flip(0))
    assert torch.equal(ConsensusFilter()(volume), volume)


@torch.no_grad()
def test_exchanging_the_images_exchanges_what_is_filtered(random_filter):
    volume = correlation(noise(2, 8, 5, 4), noise(2, 8, 6, 3, seed=1))
    filtered = random_filter(volume)
    assert (filtered - volume).abs().mean() > 0.1
    torch.testing.assert_close(
        random_filter(transposed(volume)), transposed(filtered), atol=1e-4, rtol=1e-4
    )


def dense_4d(volume: torch.Tensor, module: ConsensusFilter) -> torch.Tensor:
    """One direction of the filter, window by window: all 4-D neighbourhoods of all cells."""
    over_i, bias_i = module.over_i.weight[:, 0], module.over_i.bias
    over_j, bias_j = module.over_j.weight[0], module.over_j.bias
    _, rows_j, columns_j, rows_i, columns_i = volume.shape
    padded = torch.nn.functional.pad(volume, (1, 1, 1, 1, 1, 1, 1, 1))
    exists = torch.nn.functional.pad(torch.ones(rows_j, columns_j), (1, 1, 1, 1))
    result = torch.zeros_like(volume)
    for yj in range(rows_j):
        for xj in range(columns_j):
            for yi in range(rows_i):
                for xi in range(columns_i):
                    window = padded[:, yj : yj + 3, xj : xj + 3, yi : yi + 3, xi : xi + 3]
                    inner = torch.einsum("bpqrs,crs->bcpq", window, over_i)
                    inner = torch.relu(inner + bias_i[:, None, None])
                    inner = inner * exists[yj : yj + 3, xj : xj + 3]
                    result[:, yj, xj, yi, xi] = torch.einsum("bcpq,cpq->b", inner, over_j) + bias_j
    return result


@torch.no_grad()
def test_two_2d_convolutions_are_one_separable_4d_convolution(random_filter):
    volume = correlation(noise(2, 8, 4, 3), noise(2, 8, 3, 5, seed=1))
    one_way = dense_4d(volume, random_filter)
    other_way = rearrange(
        dense_4d(rearrange(volume, "b p q r s -> b r s p q"), random_filter),
        "b r s p q -> b p q r s",
    )
    torch.testing.assert_close(random_filter(volume), volume + one_way + other_way)


def test_the_filter_learns_a_known_warp():
    """Features of 3 channels are ambiguous: neighbours must agree to tell where a cell is from."""
    torch.manual_seed(0)
    flow = CrossImageFlow(temperature=0.1, locality=2.0, consensus=True)
    poor = noise(2, 3, SIZE, SIZE)
    moved, grid = poor.roll(1, dims=-1), own_places().roll(1, dims=-2).expand(2, -1, -1, -1)
    optimizer = torch.optim.Adam(flow.parameters(), lr=0.02)
    losses = []
    for _ in range(30):
        loss = flow.filter_loss(poor, moved, grid)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


def test_the_filter_loss_is_the_squared_distance_from_the_truth(features):
    flow = CrossImageFlow(temperature=0.01, locality=10.0, consensus=False)
    truth = own_places().expand(2, -1, -1, -1)
    assert flow.filter_loss(features, features, truth) < 1e-6
    away = truth + torch.tensor([0.3, -0.4])
    assert flow.filter_loss(features, features, away).item() == pytest.approx(0.25, rel=1e-3)


def test_flow_features_are_of_unit_length_without_what_all_images_share():
    maps = [noise(3, 4, 8, 8), noise(3, 6, 4, 4, seed=1)]
    torch.testing.assert_close(flow_features(maps)[:, :4].norm(dim=1), torch.ones(3, 8, 8))
    offset = [layer + 100 * noise(1, layer.shape[1], 1, 1, seed=5) for layer in maps]
    torch.testing.assert_close(flow_features(offset), flow_features(maps), atol=1e-3, rtol=0)


def test_a_landmark_that_nothing_matches_still_is_a_number():
    match = torch.zeros(1, 4, 4, 4, 4)
    match[..., 0, 0] = 1  # all of j is matched to the top left cell of i
    far = torch.tensor([[[1.0, 1.0]]])
    assert gaussians(far, 4, 4, 0.05)[0, 0, 0, 0] == 0
    carried = carried_points(match, far, 0.05)
    assert carried.isfinite().all()
    assert carried.abs().max() <= 1


def test_a_landmark_is_found_where_the_same_is_seen_nearby_and_not_farther_off():
    torch.manual_seed(0)
    maps_j = torch.randn(1, 32, 16, 16)
    maps_i = maps_j.roll((1, 2), dims=(2, 3))  # one cell down, two to the right
    points_j = torch.tensor([[[-0.4375, 0.0625]]])  # the centre of a cell
    moved = points_j + torch.tensor([0.25, 0.125])
    options = {"temperature": 0.03, "width": 0.2}
    for off in (0.0, 0.15):
        found = matched_nearby(maps_i, maps_j, moved + off, points_j, **options)
        assert (found - moved).abs().max() < 0.01
    away = matched_nearby(maps_i, maps_j, moved + 0.5, points_j, temperature=0.1, width=0.05)
    assert (away - moved - 0.5).abs().max() < 0.1


def test_autocast_does_not_round_what_is_found_nearby(features):
    points = torch.rand(len(features), 3, 2) - 0.5
    options = {"temperature": 0.1, "width": 0.05}
    expected = matched_nearby(features, features.flip(0), points, points, **options)
    with torch.autocast("cpu", torch.bfloat16):
        cast = matched_nearby(features, features.flip(0), points, points, **options)
    assert torch.equal(cast, expected)
