"""What only one picture has does not survive the exchange; what all have leads to the place."""

import pytest
import torch

from harness.exchange import exchange_loss, train_head

SIDE = 8


def described(noise: float) -> torch.Tensor:
    """Cells each with a direction of its own, the same in all three pictures but for noise."""
    cells = torch.eye(SIDE * SIDE).reshape(1, SIDE * SIDE, SIDE, SIDE).expand(3, -1, -1, -1)
    return cells + noise * torch.randn(cells.shape, generator=torch.Generator().manual_seed(0))


def centres() -> torch.Tensor:
    line = (torch.arange(4) + 0.5) * 2 / SIDE
    return torch.stack(torch.meshgrid(line, line, indexing="xy"), dim=-1).reshape(1, -1, 2)


def test_known_places_are_found_through_a_third_picture():
    here, there, third = described(0.0).split(1)
    assert exchange_loss(here, there, third, centres(), centres()) < 1e-3
    assert exchange_loss(here, there, third, centres(), -centres()) > 0.5


def test_a_third_picture_that_lacks_the_place_leads_elsewhere():
    here, there, third = described(0.0).split(1)
    assert exchange_loss(here, there, third.flip(2, 3), centres(), centres()) < 1e-3
    assert exchange_loss(here, there, torch.ones_like(third), centres(), centres()) > 0.3


def test_places_outside_a_view_are_not_learned_from():
    here, there, third = described(0.0).split(1)
    wrong = -centres()
    wrong[:, 1:] = 1.5
    only_first = exchange_loss(here, there, third, centres()[:, :1], -centres()[:, :1])
    assert exchange_loss(here, there, third, centres(), wrong).item() == pytest.approx(
        only_first.item()
    )


def test_the_head_learns_to_lead_to_the_place():
    # Two views of eight pictures: the same cells, under channels that differ between pictures.
    generator = torch.Generator().manual_seed(1)
    common = described(0.0)[0].expand(8, -1, -1, -1)
    own = 2 * torch.randn(8, 16, SIDE, SIDE, generator=generator)
    views = torch.cat([common, own], dim=1)
    features = torch.stack([views, views])
    places = centres().expand(2, 8, -1, -1)

    def loss(head: torch.nn.Module) -> float:
        with torch.no_grad():
            here, there, third = (head(views[at : at + 1]) for at in (0, 0, 1))
            return exchange_loss(here, there, third, places[0, :1], places[1, :1]).item()

    before = loss(train_head(features, places, steps=0))
    assert loss(train_head(features, places, steps=100)) < before / 2
