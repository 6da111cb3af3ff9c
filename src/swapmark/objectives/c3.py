"""C³, cross-image cycle consistency: landmarks from pairs of different images.

Source: Xu, Yang, Liu, Dai, Zhou 2020, "Unsupervised Landmark Learning from Unpaired Data"
(arXiv:2007.01053), whose symbols are kept: for images i and j, a_i and p_i are appearance and pose,
I_ij = D(a_i, p_j) is the first swap, and a prime marks what is found in a swapped image.

A batch holds pairs; σ gives each image's partner. Every line is written for image i with partner
j = σ(i), for all images at once, so x_i[σ] is x_j. In I_ji, the picture in the pose of i, p_i' and
a_j' are found; a_j'[σ] is a_i'. The sums over the two images of a pair are means over the batch.

The paper's three losses alone have a trivial solution with constant landmarks. What keeps the
landmarks alive here is not from the paper and marked "ours"; docs/how-it-works.md gives reasons.
"""

from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Ge, Le
from jaxtyping import Float
from torch import Tensor, nn

from swapmark.bounds import NotNegative, Positive, Share, check_bounds
from swapmark.data.views import Batch
from swapmark.data.warp import warp_grid
from swapmark.model.flow import (
    CrossImageFlow,
    carried_points,
    flow_features,
    matched_nearby,
)
from swapmark.model.model import SwapModel
from swapmark.objectives.mirror import features_and_pose
from swapmark.objectives.perceptual import PerceptualDistance
from swapmark.objectives.regularisers import known_equivariance, separation

NEARBY = 0.05
"""Unit lengths: how far `nearby` looks. Within 0.1 it is worse (docs/lab-notebook.md)."""


@dataclass(frozen=True)
class C3Config:
    """Weights λ of the terms (0 switches one off, as in the ablations), and what keeps it alive."""

    swap: NotNegative = 1.0
    """Ours: the picture after the first swap against the one that lent the appearance. Better than
    `cycle` in every comparison so far."""
    cycle: NotNegative = 0.0
    """λ_cycle: the picture comes back after two swaps. The paper's term, tried with 0.3."""
    inverse: NotNegative = 10.0
    """λ_inv, a squared distance in unit lengths: the pose survives a change of appearance."""
    equivariance: NotNegative = 0.0
    """λ_equiv, likewise: the pose of i is that of j, carried over by the flow. Off by default: with
    features of a frozen network T is less exact than the landmarks soon are."""
    nearby: NotNegative = 0.0
    """Ours, likewise: the pose of i is where the flow finds the landmarks of j near it. The warp
    between the landmarks themselves is the flow's prior, so that it can be finer than they are.
    `laptop` has it: landmarks are steadier, and on faces more exact (docs/results.md)."""
    through_swap: bool = False
    """Whether the second stage's gradient reaches the decoder of the first. Ours: it does not, the
    generated pictures are data for the second stage."""
    reconstruction: NotNegative = 1.0
    """Ours: the picture from its own pose and the appearance of its warped copy (IMM's term)."""
    known_equivariance: NotNegative = 100.0
    """Ours: L_equiv between the picture and its warped copy, where T is known and not estimated."""
    mirror_pairs: Annotated[int, Ge(0)] = 0
    """Ours: for things whose left and right halves are alike, such as faces. This many pairs of
    landmarks (1 and 2, 3 and 4, …) change places when the picture is mirrored; the others keep
    theirs, and so settle on the axis of symmetry. Acts by `known_equivariance`. After Thewlis et
    al. 2018, "Modelling and unsupervised learning of symmetric deformable object categories"."""
    ramp_start: Share = 0.5
    """Ours: share of the run after which the terms of the swaps and the flow begin to fade in."""
    ramp_end: Share = 0.6
    """Ours: share of the run at which they have their full weight."""
    separation: NotNegative = 0.5
    """Ours: keeps landmarks apart (Zhang et al. 2018); 0 for none."""
    separation_width: Positive = 0.1
    """Ours: the distance at which landmarks begin to push, in unit lengths."""
    flow_temperature: Positive = 0.1
    """Softmax temperature of the matches; cosines lie in [-1, 1]."""
    flow_locality: Positive = 0.2
    """Ours: a weak preference for matches nearby, a standard deviation in unit lengths."""
    flow_scale: Annotated[int, Ge(1), Le(16)] = 2
    """Pictures are enlarged by this factor for the flow's features, to get finer cells."""
    flow_consensus: bool = False
    """Learn the 4-D filter of the flow, on known warps; slow without a GPU."""

    def __post_init__(self):
        check_bounds(self)

    def ramp(self, progress: float) -> float:
        """The share of their weight that the late terms have when `progress` of the run is over."""
        start, end = self.ramp_start, self.ramp_end
        return min(1.0, max(0.0, (progress - start) / max(end - start, 1e-9)))

    @property
    def late(self) -> dict[str, float]:
        """λ of the terms of the swaps and the flow, which fade in."""
        return {
            "swap": self.swap,
            "cycle": self.cycle,
            "inverse": self.inverse,
            "equivariance": self.equivariance,
            "nearby": self.nearby,
        }

    def weights(self, progress: float) -> dict[str, float]:
        """λ of every term when `progress` of the run is over."""
        ramp = self.ramp(progress)
        return {
            "reconstruction": self.reconstruction,
            "known_equivariance": self.known_equivariance,
            "separation": self.separation,
            **{name: ramp * weight for name, weight in self.late.items()},
            "flow": 1.0,
        }


class C3(nn.Module):
    """The loss of a batch of pairs: reconstruction, first swap, and the second where asked for."""

    def __init__(self, model: SwapModel, perceptual: PerceptualDistance, config: C3Config):
        super().__init__()
        self.model = model
        self.perceptual = perceptual
        self.config = config
        self.flow = CrossImageFlow(
            temperature=config.flow_temperature,
            locality=config.flow_locality,
            consensus=config.flow_consensus,
        )

    def forward(self, batch: Batch, progress: float = 1.0) -> dict[str, Tensor]:
        """The terms by name, unweighted, and their weighted sum as `loss`.

        `progress` is the share of the run that is over, in [0, 1].
        """
        config, model, P = self.config, self.model, self.perceptual
        N, E_p = model.features, model.landmark_encoder
        E_a, D = model.appearance_encoder, model.decode
        I_i, mask, σ, λ = batch.images, batch.mask, batch.partners, config.weights(progress)
        terms = {}

        # Pose: p_i = E_p(N(I_i)).
        f_i = N(I_i)
        targets = P.targets(I_i, f_i)
        p_i = E_p(f_i)
        # Appearance: a_i = E_a(N(·)). Ours: of a warped copy of I_i, which cannot carry p_i; the
        # copy has the pose q_i.
        f_copy, q_i = features_and_pose(model, batch.warped, config.mirror_pairs)
        a_i = E_a(batch.warped, f_copy, q_i)
        # Ours: P(I_i, D(a_i, p_i)), as in IMM. It moves the running means of P.
        terms["reconstruction"] = P(targets, D(a_i, p_i), mask, update=self.training)
        # Ours: L_equiv between I_i and its copy, where T is known.
        if λ["known_equivariance"]:
            terms["known_equivariance"] = known_equivariance(p_i.points, q_i.points, batch.warp)
        # Ours: no two landmarks in one place.
        if λ["separation"]:
            terms["separation"] = separation(p_i.points, config.separation_width)

        poses = [p_i]
        if λ["swap"] or λ["cycle"] or λ["inverse"]:
            # First swap: I_ji = D(a_j, p_i), p_i' = E_p(N(I_ji)). Ours: I_ji is data for N.
            I_ji = D(a_i.of(σ), p_i)
            f_ji = N(I_ji if config.through_swap else I_ji.detach())
            p_i_prime = E_p(f_ji)
            poses.append(p_i_prime)
            # Ours: P(I_j, I_ji), the lender of the appearance, which has another pose.
            if λ["swap"]:
                terms["swap"] = P([layer[σ] for layer in targets], I_ji, mask[σ])
            # Second swap: a_j' = E_a(N(I_ji)), I_i' = D(a_i', p_i').
            # L_cycle = P(I_i, I_i') + P(I_j, I_j')
            if λ["cycle"]:
                a_j_prime = E_a(I_ji, f_ji, p_i_prime)
                I_i_prime = D(a_j_prime.of(σ), p_i_prime)
                terms["cycle"] = P(targets, I_i_prime, mask)
            # L_inv = |p_i' - p_i|² + |p_j' - p_j|². Ours: p is the target, and not taught by it.
            terms["inverse"] = _squared(p_i_prime.points, p_i.points.detach())

        enlarged_i = self._enlarged(I_i) if λ["equivariance"] or λ["nearby"] else []
        if λ["equivariance"]:
            # L_equiv = |p_i - T(j→i)∘p_j|² + |p_j - T(i→j)∘p_i|² in both stages, with one T: I_ji
            # has the geometry of I_i. Ours: T∘p_j is the target, and not taught by it.
            maps_i = flow_features(enlarged_i[-2:])
            with torch.no_grad():
                S_ji = self.flow(maps_i[σ], maps_i)
            carried = [
                carried_points(S_ji, p.points[σ].detach(), model.config.sigma) for p in poses
            ]
            stages = [_squared(p.points, target) for p, target in zip(poses, carried, strict=True)]
            terms["equivariance"] = torch.stack(stages).sum()
            # Ours: T's filter learns from the warp between I_i and its copy.
            if self.flow.filter is not None:
                maps_copy = flow_features(self._enlarged(batch.warped)[-2:])
                truth = warp_grid(batch.warp, *maps_copy.shape[-2:])
                terms["flow"] = self.flow.filter_loss(maps_i, maps_copy, truth)

        if λ["nearby"]:
            # Ours: |p_i - q_i|² in both stages, q_i being where the flow from I_j, sought around
            # p_i alone, has the landmarks of I_j; not taught by it.
            maps_i, p = flow_features(enlarged_i[-3:]), p_i.points.detach()
            scale = {"temperature": config.flow_temperature, "width": NEARBY}
            q_i = matched_nearby(maps_i, maps_i[σ], p, p[σ], **scale)
            stages = [_squared(pose.points, q_i) for pose in poses]
            terms["nearby"] = torch.stack(stages).sum()

        loss = torch.stack([λ[name] * term for name, term in terms.items()]).sum()
        return {"loss": loss, **{name: term.detach() for name, term in terms.items()}}

    @torch.no_grad()
    def _enlarged(self, images: Tensor) -> list[Tensor]:
        """What T compares: the frozen network's maps, from fine to coarse, of pictures enlarged."""
        scale = float(self.config.flow_scale)
        return self.perceptual.targets(F.interpolate(images, scale_factor=scale, mode="bilinear"))


def _squared(
    points: Float[Tensor, "batch landmark 2"], targets: Float[Tensor, "batch landmark 2"]
) -> Float[Tensor, ""]:
    """|p - q|²: the mean over landmarks and images, in squared unit lengths."""
    return (points - targets).square().sum(dim=-1).mean()
