"""C³, cross-image cycle consistency: landmarks from pairs of different images.

Source: Xu, Yang, Liu, Dai, Zhou 2020, "Unsupervised Landmark Learning from Unpaired Data"
(arXiv:2007.01053), whose symbols are kept: for images i and j, a_i and p_i are appearance and pose,
I_ij = D(a_i, p_j) is the first swap, and a prime marks what is found in a swapped image.

A batch holds pairs; σ gives each image's partner. Every line is written for image i with partner
j = σ(i), for all images at once, so x[σ] is x_j. `swapped` is I_ji = D(a_j, p_i), the picture in
the pose of i; what is found in it is p_i' and a_j', so that a_j'[σ] is a_i'.

The paper's three losses alone have a trivial solution with constant landmarks. What keeps the
landmarks alive here is not from the paper and marked "ours"; docs/how-it-works.md gives reasons.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from swapmark.data.augment import Batch
from swapmark.data.warp import Warp, inverse_points, warp_grid, warp_points
from swapmark.model.flow import CrossImageFlow, Volume, carried_points, flow_features
from swapmark.model.landmark_encoder import Pose
from swapmark.model.model import SwapModel
from swapmark.objectives.perceptual import PerceptualDistance
from swapmark.objectives.regularisers import separation


@dataclass(frozen=True)
class C3Config:
    """Weights λ of the terms (0 switches one off, as in the ablations), and what keeps it alive."""

    cycle: float = 1.0
    """λ_cycle, of the picture after one swap or two, see `second_swap`."""
    inverse: float = 10.0
    """λ_inv, a squared distance in unit lengths: the pose survives a change of appearance."""
    equivariance: float = 0.0
    """λ_equiv, likewise: the pose of i is that of j, carried over by the flow. Off by default: with
    features of a frozen network T is less exact than the landmarks soon are."""
    through_swap: bool = False
    """Whether the second stage's gradient reaches the decoder of the first. Ours: it does not, the
    generated pictures are data for the second stage."""
    second_swap: bool = False
    """On: L_cycle as in the paper, the picture comes back after two swaps (tried with cycle=0.3).
    Off: it compares the first swap with the picture that lent the appearance, which was better in
    every comparison so far."""
    reconstruction: float = 1.0
    """Ours: the picture from its own pose and the appearance of its warped copy (IMM's term)."""
    known_equivariance: float = 100.0
    """Ours: L_equiv between the picture and its warped copy, where T is known and not estimated."""
    mirror_pairs: int = 0
    """Ours: for things whose left and right halves are alike, such as faces. This many pairs of
    landmarks (1 and 2, 3 and 4, …) change places when the picture is mirrored; the others keep
    theirs, and so settle on the axis of symmetry. Acts by `known_equivariance`. After Thewlis et
    al. 2018, "Modelling and unsupervised learning of symmetric deformable object categories"."""
    ramp_start: float = 0.5
    """Ours: share of the run after which the paper's three terms begin to fade in."""
    ramp_end: float = 0.6
    """Ours: share of the run at which they have their full weight."""
    separation: float = 0.5
    """Ours: keeps landmarks apart (Zhang et al. 2018); 0 for none."""
    separation_width: float = 0.1
    """Ours: the distance at which landmarks begin to push, in unit lengths."""
    flow_temperature: float = 0.1
    """Softmax temperature of the matches; cosines lie in [-1, 1]."""
    flow_locality: float = 0.2
    """Ours: a weak preference for matches nearby, a standard deviation in unit lengths."""
    flow_scale: int = 2
    """Pictures are enlarged by this factor for the flow's features, to get finer cells."""
    flow_consensus: bool = False
    """Learn the 4-D filter of the flow, on known warps; slow without a GPU."""

    def ramp(self, progress: float) -> float:
        """The share of their weight that the paper's terms have when `progress` of the run is over.

        >>> [C3Config(ramp_start=0.5, ramp_end=0.6).ramp(share) for share in (0.5, 0.6, 1.0)]
        [0.0, 1.0, 1.0]
        """
        start, end = self.ramp_start, self.ramp_end
        return min(1.0, max(0.0, (progress - start) / max(end - start, 1e-9)))

    def effort(self, progress: float) -> float:
        """About how long a step takes then, in units of one without swaps, for the time left.

        A first swap took 0.2 to 0.8 more on a CPU at 128 px, a second 0.6 at 64 px; the flow is put
        at one whole step.

        >>> C3Config().effort(0.4), C3Config().effort(0.7)
        (1.0, 1.5)
        """
        if not self.ramp(progress):
            return 1.0
        first = bool(self.cycle or self.inverse)
        second = self.second_swap and self.cycle > 0
        return 1.0 + 0.5 * first + 0.6 * second + 1.0 * (self.equivariance > 0)


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
        λ, model = self.config, self.model
        images, σ = batch.images, batch.partners
        features = model.features(images)
        targets = self.perceptual.targets(images, features)
        # p_i = E_p(N(I_i)); a_i = E_a(N(·)) of a warped copy, which can't carry the pose (ours).
        p = model.landmark_encoder(features)
        copy_features, q = self._of_copies(batch.warped)
        a = model.appearance_of(copy_features, q)
        rebuilt = model.decode(a, p)
        terms = {
            "reconstruction": self.perceptual(targets, rebuilt, batch.mask, update=self.training)
        }
        weights = {"reconstruction": λ.reconstruction}
        # L_equiv between the picture and its warped copy, where T is known (ours).
        if λ.known_equivariance:
            terms["known_equivariance"] = _known_equivariance(p.points, q.points, batch.warp)
            weights["known_equivariance"] = λ.known_equivariance
        if λ.separation:
            terms["separation"] = separation(p.points, λ.separation_width)
            weights["separation"] = λ.separation
        ramp = λ.ramp(progress)
        poses = [p]
        if ramp > 0 and (λ.cycle or λ.inverse):
            # First swap, I_ji = D(a_j, p_i), and what is found in it: p_i'.
            swapped = model.decode(a[σ], p)
            swapped_features = model.features(swapped if λ.through_swap else swapped.detach())
            p_prime = model.landmark_encoder(swapped_features)
            poses.append(p_prime)
            # Second swap, with a_j' found there too: I_i' = D(a_i', p_i').
            # L_cycle = P(I_i, I_i') + P(I_j, I_j')
            if λ.cycle and λ.second_swap:
                a_prime = model.appearance_of(swapped_features, p_prime)
                restored = model.decode(a_prime[σ], p_prime)
                terms["cycle"] = self.perceptual(targets, restored, batch.mask)
            elif λ.cycle:
                lent = [layer[σ] for layer in targets]
                terms["cycle"] = self.perceptual(lent, swapped, batch.mask[σ])
            # L_inv = |p_i' - p_i|² + |p_j' - p_j|²; p is the target, and not taught by it (ours).
            terms["inverse"] = _squared(p_prime.points - p.points.detach())
            weights |= {"cycle": ramp * λ.cycle, "inverse": ramp * λ.inverse}
        if ramp > 0 and λ.equivariance:
            # L_equiv = |p_i - T(j→i)∘p_j|² + …, and the same of p' where there was a first swap.
            # I_ji has the geometry of I_i, so its T is the same. T∘p is the target, and not taught
            # by it (ours).
            flow_maps = self._flow_features(images, targets)
            with torch.no_grad():
                match = self.flow(flow_maps[σ], flow_maps)
            terms["equivariance"] = torch.stack(
                [_squared(pose.points - self._carried(match, pose, σ)) for pose in poses]
            ).sum()
            weights["equivariance"] = ramp * λ.equivariance
            if self.flow.filter is not None:
                terms["flow"] = self._filter_loss(batch, flow_maps)
                weights["flow"] = 1.0
        loss = torch.stack([weights[name] * term for name, term in terms.items()]).sum()
        return {"loss": loss, **{name: term.detach() for name, term in terms.items()}}

    def _of_copies(self, copies: Tensor) -> tuple[list[Tensor], Pose]:
        """Features and pose of the warped copies.

        With mirror pairs every second copy is shown in a mirror, and what is found is turned back,
        the features too: so the known equivariance is that under mirrors, and the appearance of
        these copies is that of mirrored features.
        """
        encoder, pairs = self.model.landmark_encoder, self.config.mirror_pairs
        if not pairs:
            features = self.model.features(copies)
            return features, encoder(features)
        odd = torch.arange(len(copies), device=copies.device) % 2 == 1
        features = self.model.features(_mirrored_where(odd, copies))
        maps = encoder(features).probabilities
        order = _mirror_order(maps.shape[1], pairs)
        maps = torch.where(odd[:, None, None, None], maps[:, order], maps)
        turned_back = [_mirrored_where(odd, layer) for layer in features]
        return turned_back, encoder.pose(_mirrored_where(odd, maps))

    @torch.no_grad()
    def _flow_features(self, images: Tensor, targets: list[Tensor]) -> Tensor:
        """What T compares: the frozen network's features, of pictures enlarged by `flow_scale`."""
        scale = self.config.flow_scale
        if scale != 1:
            larger = F.interpolate(
                images, scale_factor=float(scale), mode="bilinear", align_corners=False
            )
            targets = self.perceptual.targets(larger)
        return flow_features(targets[-2:])

    def _carried(
        self, match: Volume, pose: Pose, partners: Tensor
    ) -> Float[Tensor, "batch landmark 2"]:
        """T(j→i)∘p_j as points of i, without a gradient."""
        return carried_points(match, pose.points[partners].detach(), self.model.config.sigma)

    def _filter_loss(self, batch: Batch, features: Tensor) -> Tensor:
        """Teach the flow's filter the warp between each picture and its warped copy."""
        warped = self._flow_features(batch.warped, self.perceptual.targets(batch.warped))
        truth = warp_grid(batch.warp, *warped.shape[-2:])
        return self.flow.filter_loss(features, warped, truth)


def _known_equivariance(
    points: Float[Tensor, "batch landmark 2"],
    points_in_copy: Float[Tensor, "batch landmark 2"],
    warp: Warp,
) -> Float[Tensor, ""]:
    """|p - W(q)|² where the warp W is known; a landmark whose place the copy does not show is left
    out, as nothing found in the copy could agree with it."""
    places = inverse_points(points.detach(), warp)
    shown = (places.abs().amax(dim=-1) <= 1).float()
    squared = (warp_points(points_in_copy, warp) - points).square().sum(dim=-1)
    return (squared * shown).mean()


def _mirrored_where(
    condition: Bool[Tensor, " batch"], maps: Float[Tensor, "batch channel height width"]
) -> Float[Tensor, "batch channel height width"]:
    """The maps, of those images for which the condition holds left-right mirrored."""
    return torch.where(condition[:, None, None, None], maps.flip(-1), maps)


def _mirror_order(landmarks: int, pairs: int) -> list[int]:
    """Which landmark is each one's mirror image: 1, 0, 3, 2, … for the pairs, then themselves.

    >>> _mirror_order(5, 2)
    [1, 0, 3, 2, 4]
    """
    return [k ^ 1 if k < 2 * pairs else k for k in range(landmarks)]


def _squared(difference: Float[Tensor, "batch landmark 2"]) -> Float[Tensor, ""]:
    """Mean squared distance over landmarks and images, in squared unit lengths."""
    return difference.square().sum(dim=-1).mean()
