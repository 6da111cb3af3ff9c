"""Features trained for correspondence, on known warps and on exchange through a third image.

Source: Thewlis et al. 2019, "Unsupervised learning of landmarks by descriptor vector exchange",
eq. 4 to 6. Here a small head on the maps of a frozen network, which are computed once. A place u of
one view of a picture is described, the description is put together anew from those of a *different*
picture, and with that the place is looked for in another view, whose warp is known. What only this
one picture has does not survive the exchange.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from swapmark.model.flow import correlation
from swapmark.model.heatmaps import cell_centres

WIDTH, HIDDEN = 64, 128
"""Channels of a description, and of the layer before it."""
TEMPERATURE = 0.05
"""Of the softmax over cells, of cosines."""
PAIRS, PLACES, RATE = 4, 128, 1e-3
"""Pairs of views and places of each in a step; the learning rate."""


def head(channels: int) -> nn.Module:
    """From the features of a cell to its description, of that cell alone."""
    inner = nn.Conv2d(channels, HIDDEN, 1)
    return nn.Sequential(inner, nn.ReLU(), nn.Conv2d(HIDDEN, WIDTH, 1))


def train_head(
    features: Float[Tensor, "view picture channel height width"],
    places: Float[Tensor, "view picture place 2"],
    *,
    steps: int,
    seed: int = 0,
) -> nn.Module:
    """Train the head on two views of each picture; `places` are the same ones in both.

    Those that lie outside a view, in unit coordinates, are not learned from.
    """
    torch.manual_seed(seed)
    network = head(features.shape[2]).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for step in range(steps):
        chosen = torch.randperm(features.shape[1])[: 2 * PAIRS]
        pictures, thirds = chosen[:PAIRS], chosen[PAIRS:]
        some = torch.randperm(places.shape[2])[:PLACES]
        sides = (features[0, pictures], features[1, pictures], features[0, thirds])
        here, there, third = (network(side.float()) for side in sides)
        start, end = places[:, pictures][:, :, some]
        loss = exchange_loss(here, there, third, start, end)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            print(f"exchange, step {step} of {steps}: {loss.item():.3f}", flush=True)
    return network.eval()


def exchange_loss(
    here: Tensor, there: Tensor, third: Tensor, start: Tensor, end: Tensor
) -> Float[Tensor, ""]:
    """Mean distance, in unit lengths, of where `start` is looked for in `there` from `end`."""
    known = (start.abs() < 1).all(dim=-1) & (end.abs() < 1).all(dim=-1)
    seen = F.grid_sample(here, start[:, :, None], align_corners=False)
    through = _likely(third, seen)
    exchanged = torch.einsum("bkyx,bcyx->bck", through, F.normalize(third, dim=1))
    match = _likely(there, exchanged[..., None])
    y, x = (cell_centres(length) for length in match.shape[2:])
    off_x, off_y = end[..., 0:1] - x, end[..., 1:2] - y
    distance = (off_x.square()[:, :, None, :] + off_y.square()[:, :, :, None]).sqrt()
    return (match * distance).sum(dim=(-2, -1))[known].mean()


def _likely(cells: Tensor, seen: Tensor) -> Float[Tensor, "batch place height width"]:
    """For each description, a distribution over the cells."""
    likeness = correlation(cells, seen)[:, :, 0] / TEMPERATURE
    return likeness.flatten(2).softmax(dim=-1).view_as(likeness)
