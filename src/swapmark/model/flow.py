"""The cross-image flow module: which place of one image corresponds to which of another.

Source: Xu et al. 2020 (C³), the flow module; the consensus filter is that of Rocco et al. 2018
(Neighbourhood Consensus Networks). Cells of image j are the target x_j, cells of image i the
source x_i: S(i→j)(x_j) is a distribution over the cells of i, T(i→j)(x_j) its arg-max.
Volumes are (batch, height_j, width_j, height_i, width_i).
"""

import torch
import torch.nn.functional as F
from einops import einsum, rearrange
from jaxtyping import Float
from torch import Tensor, nn

from swapmark.data.tensors import full_precision
from swapmark.model.devices import mean_over_devices
from swapmark.model.heatmaps import cell_centres, gaussians, soft_argmax

Volume = Float[Tensor, "batch height_j width_j height_i width_i"]


def correlation(
    features_i: Float[Tensor, "batch channel height_i width_i"],
    features_j: Float[Tensor, "batch channel height_j width_j"],
) -> Volume:
    """C: the cosine similarity of every cell of f_i with every cell of f_j, in [-1, 1]."""
    unit_i = F.normalize(features_i.float(), dim=1)
    unit_j = F.normalize(features_j.float(), dim=1)
    return einsum(unit_j, unit_i, "b c yj xj, b c yi xi -> b yj xj yi xi")


def transposed(volume: Volume) -> Float[Tensor, "batch height_i width_i height_j width_j"]:
    """The same volume with the two images exchanged."""
    return rearrange(volume, "b yj xj yi xi -> b yi xi yj xj")


class ConsensusFilter(nn.Module):
    """Ĉ = C + W1 ⊗ (W2 ⊗ C): a 4-D convolution as two 2-D ones, the same for both directions.

    W2 runs over the cells of i, W1 over the cells of j; the filter is applied to C and to its
    transpose and summed, so exchanging the images exchanges the result. W1 starts at zero: the
    untrained filter passes C through.
    """

    def __init__(self, channels: int = 8, kernel: int = 3):
        super().__init__()
        self.over_i = nn.Conv2d(1, channels, kernel, padding=kernel // 2)
        self.over_j = nn.Conv2d(channels, 1, kernel, padding=kernel // 2)
        nn.init.zeros_(self.over_j.weight)
        nn.init.zeros_(self.over_j.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, volume: Volume) -> Volume:
        return volume + self._filtered(volume) + transposed(self._filtered(transposed(volume)))

    def _filtered(self, volume: Volume) -> Volume:
        _, height_j, width_j, height_i, width_i = volume.shape
        inner = self.over_i(rearrange(volume, "b yj xj yi xi -> (b yj xj) 1 yi xi"))
        inner = rearrange(
            torch.relu(inner), "(b yj xj) c yi xi -> (b yi xi) c yj xj", yj=height_j, xj=width_j
        )
        return rearrange(
            self.over_j(inner), "(b yi xi) 1 yj xj -> b yj xj yi xi", yi=height_i, xi=width_i
        )


def matches(volume: Volume, temperature: float, locality: float) -> Volume:
    """S(i→j)(x_j): softmax of Ĉ / temperature over all cells of i; sums to 1 for each cell of j.

    `locality` (ours) adds a weak preference for the same place: a Gaussian of this standard
    deviation, in unit lengths, on the distance of the two cells. It keeps repeated structure apart.
    """
    yj, xj, yi, xi = (cell_centres(length, volume.device) for length in volume.shape[1:])
    vertical = (yj[:, None] - yi)[:, None, :, None] ** 2
    horizontal = (xj[:, None] - xi)[None, :, None, :] ** 2
    scores = volume / temperature - (vertical + horizontal) / (2 * locality**2)
    flat = rearrange(scores, "b yj xj yi xi -> b yj xj (yi xi)").softmax(dim=-1)
    return rearrange(flat, "b yj xj (yi xi) -> b yj xj yi xi", yi=volume.shape[3])


def argmax_transfer(
    match: Volume, maps_i: Float[Tensor, "batch landmark height_i width_i"]
) -> Float[Tensor, "batch landmark height_j width_j"]:
    """(T(i→j)∘p_i)(x_j) = p_i(T(i→j)(x_j)): every cell of j takes the value of its best match."""
    best = rearrange(match, "b yj xj yi xi -> b (yj xj) (yi xi)").argmax(dim=-1)
    flat = rearrange(maps_i, "b k yi xi -> b k (yi xi)")
    taken = flat.gather(2, best[:, None].expand(-1, flat.shape[1], -1))
    return rearrange(taken, "b k (yj xj) -> b k yj xj", yj=match.shape[1])


def soft_transfer(
    match: Volume, maps_i: Float[Tensor, "batch landmark height_i width_i"]
) -> Float[Tensor, "batch landmark height_j width_j"]:
    """Σ S(i→j) p_i: the expected value of the map at the match; passes a gradient to both."""
    return einsum(match, maps_i.to(match.dtype), "b yj xj yi xi, b k yi xi -> b k yj xj")


def carried_points(
    match: Volume, points_i: Float[Tensor, "batch landmark 2"], sigma: float
) -> Float[Tensor, "batch landmark 2"]:
    """T(i→j)∘p_i as points of j: the soft-argmax of the soft transfer of Gaussians at the points.

    `sigma` is their width (see `gaussians`). A landmark that no cell of j matches stays at the mean
    of the cells, weighted by what little match there is. In single precision also under autocast.
    """
    height, width = match.shape[3:]
    with full_precision(match.device):
        maps = gaussians(points_i.float(), height, width, sigma)
        carried = soft_transfer(match.float(), maps)
    return soft_argmax(carried / carried.sum(dim=(-2, -1), keepdim=True).clamp_min(1e-12))


def matched_nearby(
    features_i: Float[Tensor, "batch channel height_i width_i"],
    features_j: Float[Tensor, "batch channel height_j width_j"],
    points_i: Float[Tensor, "batch landmark 2"],
    points_j: Float[Tensor, "batch landmark 2"],
    *,
    temperature: float,
    width: float,
) -> Float[Tensor, "batch landmark 2"]:
    """T(j→i) of the points of j, looked for around those of i. Ours: their warp is the prior.

    A softmax over the cells of i, of the cosine with what is seen at the point of j, and of a
    Gaussian `width` wide, in unit lengths, around the point of i; its mean place.
    """
    with full_precision(features_i.device):
        at = points_j.float()[:, :, None]
        seen = F.grid_sample(features_j.float(), at, padding_mode="border", align_corners=False)
        likeness = correlation(features_i, seen)[:, :, 0] / temperature
        y, x = (cell_centres(length, likeness.device) for length in likeness.shape[2:])
        off_x, off_y = points_i.float()[..., 0:1] - x, points_i.float()[..., 1:2] - y
        off = off_x.square()[:, :, None, :] + off_y.square()[:, :, :, None]
        scores = likeness - off / (2 * width**2)
        flat = rearrange(scores, "b k y x -> b k (y x)").softmax(dim=-1)
        return soft_argmax(rearrange(flat, "b k (y x) -> b k y x", x=len(x)))


def expected_places(match: Volume) -> Float[Tensor, "batch height_j width_j 2"]:
    """The soft-argmax of S(i→j): where in i each cell of j corresponds to, in unit coordinates."""
    flat = soft_argmax(rearrange(match, "b yj xj yi xi -> b (yj xj) yi xi"))
    return rearrange(flat, "b (yj xj) xy -> b yj xj xy", yj=match.shape[1])


class CrossImageFlow(nn.Module):
    """The flow module: T between images from features that know something by themselves.

    Learned on the landmark encoder's own features alone, T drifts to the identity and pulls the
    landmarks to constants. So the features are those of a frozen ImageNet network, given by the
    caller; `consensus` adds the learned 4-D filter, which `filter_loss` teaches on known warps.
    """

    def __init__(self, *, temperature: float, locality: float, consensus: bool):
        super().__init__()
        self.temperature = temperature
        self.locality = locality
        self.filter = ConsensusFilter() if consensus else None

    def forward(
        self,
        features_i: Float[Tensor, "batch channel height_i width_i"],
        features_j: Float[Tensor, "batch channel height_j width_j"],
    ) -> Volume:
        """S(i→j): for each cell of j a distribution over the cells of i."""
        volume = correlation(features_i, features_j)
        if self.filter is not None:
            volume = self.filter(volume)
        return matches(volume, self.temperature, self.locality)

    def filter_loss(self, features: Tensor, warped_features: Tensor, grid: Tensor) -> Tensor:
        """How far the matches of a warped copy are from the truth: mean squared unit lengths.

        `grid` (batch, height, width, 2) is where each cell of the copy truly comes from.
        """
        places = expected_places(self(features, warped_features))
        return (places - grid).square().sum(dim=-1).mean()


def flow_features(maps: list[Tensor]) -> Float[Tensor, "batch channel height width"]:
    """Features to compare: each map less its mean over the batch, to unit length, side by side.

    Without the mean, which is the same in all cells of all images, cosines are all near 1.
    """
    size = maps[0].shape[-2:]
    scaled = []
    for layer in maps:
        mean = mean_over_devices(layer.float().mean(dim=(0, 2, 3), keepdim=True))
        unit = F.normalize(layer.float() - mean, dim=1)
        scaled.append(F.interpolate(unit, size=size, mode="bilinear", align_corners=False))
    return torch.cat(scaled, dim=1)
