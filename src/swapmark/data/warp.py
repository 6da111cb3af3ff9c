"""Thin-plate-spline and affine warps of images and of points, as pure functions.

A warp W here is a *backward* map in unit coordinates: output(u) = input(W(u)). A landmark at q in
the input therefore appears at W⁻¹(q) in the output; `inverse_points` finds it. Source of the
spline: Bookstein 1989, U(r) = r² log r².
"""

from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from swapmark.data.tensors import full_precision


def unit_grid(height: int, width: int, device=None) -> Float[Tensor, "height width 2"]:
    """Unit coordinates (x, y) of every pixel centre."""
    y = (torch.arange(height, device=device, dtype=torch.float32) + 0.5) * (2 / height) - 1
    x = (torch.arange(width, device=device, dtype=torch.float32) + 0.5) * (2 / width) - 1
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)


def control_grid(side: int) -> Float[Tensor, "control 2"]:
    """side × side control points over [-1, 1]², corners included."""
    line = torch.linspace(-1, 1, side)
    return torch.stack(torch.meshgrid(line, line, indexing="xy"), dim=-1).reshape(-1, 2)


def _kernel(points: Tensor, controls: Tensor) -> Tensor:
    squared = (points[..., :, None, :] - controls).square().sum(dim=-1)
    return squared * torch.log(squared.clamp_min(1e-12))


def _affine_terms(points: Tensor) -> Tensor:
    return torch.cat([torch.ones_like(points[..., :1]), points], dim=-1)


@cache
def _spline_solver(side: int, device: torch.device) -> Float[Tensor, "rows control"]:
    """The matrix that turns displacements of the control points into spline weights."""
    controls = control_grid(side).double()
    count = len(controls)
    system = torch.zeros(count + 3, count + 3, dtype=torch.float64)
    system[:count, :count] = _kernel(controls, controls)
    system[:count, count:] = _affine_terms(controls)
    system[count:, :count] = _affine_terms(controls).T
    return torch.linalg.inv(system)[:, :count].float().to(device)


@cache
def _spline_basis(
    side: int, height: int, width: int, device: torch.device
) -> Float[Tensor, "pixel control"]:
    """Displacement of every pixel for a unit displacement of each control point: computed once."""
    pixels = unit_grid(height, width, device).reshape(-1, 2)
    return _spline_values(pixels, side) @ _spline_solver(side, device)


def _spline_values(points: Tensor, side: int) -> Tensor:
    controls = control_grid(side).to(points.device)
    return torch.cat([_kernel(points, controls), _affine_terms(points)], dim=-1)


@dataclass(frozen=True)
class Warp:
    """A batch of warps W(u) = A u + t + spline(u), in unit coordinates."""

    matrix: Float[Tensor, "batch 2 2"]
    """A: rotation, scale and shear."""
    shift: Float[Tensor, "batch 2"]
    """t, in unit lengths."""
    displacements: Float[Tensor, "batch control 2"]
    """Displacements of the side × side control points that the spline interpolates."""

    @property
    def side(self) -> int:
        return round(self.displacements.shape[1] ** 0.5)

    @staticmethod
    def identity(batch: int, side: int = 3) -> "Warp":
        """The warps that change nothing."""
        matrix = torch.eye(2).expand(batch, 2, 2)
        return Warp(matrix, torch.zeros(batch, 2), torch.zeros(batch, side * side, 2))

    def __getitem__(self, share: slice) -> "Warp":
        """Some of the warps."""
        return Warp(self.matrix[share], self.shift[share], self.displacements[share])

    def to(self, device) -> "Warp":
        """The same warps on another device."""
        return Warp(self.matrix.to(device), self.shift.to(device), self.displacements.to(device))


def random_warp(
    batch: int,
    generator: torch.Generator,
    *,
    side: int = 10,
    warp: float = 0.01,
    rotation: float = 5.0,
    scale: float = 0.05,
    translation: float = 0.1,
    flip: float = 0.0,
) -> Warp:
    """Random warps: normal deviates with these standard deviations.

    `warp` and `translation` are unit lengths, `rotation` degrees, `scale` a fraction; `flip` is the
    probability of a left-right mirror. Defaults follow Jakab et al. 2018.
    """

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    angle = normal(batch) * (rotation * torch.pi / 180)
    size = torch.exp(normal(batch) * scale)
    mirrored = torch.where(torch.rand(batch, generator=generator) < flip, -1.0, 1.0)
    cosine, sine = angle.cos() * size, angle.sin() * size
    matrix = torch.stack(
        [torch.stack([cosine * mirrored, -sine], -1), torch.stack([sine * mirrored, cosine], -1)],
        dim=-2,
    )
    return Warp(matrix, normal(batch, 2) * translation, normal(batch, side * side, 2) * warp)


def warp_points(
    points: Float[Tensor, "batch point 2"], warp: Warp
) -> Float[Tensor, "batch point 2"]:
    """W(u) for unit coordinates u."""
    with full_precision(points.device):
        linear = torch.einsum("bij,bpj->bpi", warp.matrix, points) + warp.shift[:, None]
        values = _spline_values(points, warp.side) @ _spline_solver(warp.side, points.device)
        return linear + values @ warp.displacements


def inverse_points(
    points: Float[Tensor, "batch point 2"], warp: Warp, *, iterations: int = 20
) -> Float[Tensor, "batch point 2"]:
    """W⁻¹(q): where a point q of the input lies in the warped output, by fixed-point iteration.

    u ← A⁻¹ (q - t - spline(u)) converges for warps that do not fold, which those of `random_warp`
    with the default strengths do not.
    """
    inverse = torch.linalg.inv_ex(warp.matrix).inverse  # unlike inv, it does not wait for a GPU
    solver = _spline_solver(warp.side, points.device)
    with full_precision(points.device):
        guess = torch.einsum("bij,bpj->bpi", inverse, points - warp.shift[:, None])
        for _ in range(iterations):
            bend = _spline_values(guess, warp.side) @ solver @ warp.displacements
            guess = torch.einsum("bij,bpj->bpi", inverse, points - warp.shift[:, None] - bend)
        return guess


def warp_grid(warp: Warp, height: int, width: int) -> Float[Tensor, "batch height width 2"]:
    """W(u) at every pixel centre u, from a basis that is computed once a size."""
    device = warp.matrix.device
    pixels = unit_grid(height, width, device).reshape(-1, 2)
    with full_precision(device):
        linear = pixels @ warp.matrix.mT + warp.shift[:, None]
        bend = _spline_basis(warp.side, height, width, device) @ warp.displacements
    return (linear + bend).reshape(-1, height, width, 2)


def warp_images(
    images: Float[Tensor, "batch channel height width"], warp: Warp, *, padding: str = "reflection"
) -> Float[Tensor, "batch channel height width"]:
    """output(u) = input(W(u)), bilinear; what lies outside is mirrored (or `padding`)."""
    grid = warp_grid(warp, *images.shape[-2:])
    return F.grid_sample(images, grid, padding_mode=padding, align_corners=False)


def inside(warp: Warp, height: int, width: int) -> Float[Tensor, "batch 1 height width"]:
    """1 where the warped image shows the input, 0 where it shows what `padding` made up."""
    return (warp_grid(warp, height, width).abs().amax(dim=-1) <= 1).float()[:, None]
