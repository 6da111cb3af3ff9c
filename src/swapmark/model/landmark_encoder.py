"""The landmark encoder E_p: backbone features to K heatmaps, points and Gaussians."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from swapmark.model.blocks import PyramidFusion
from swapmark.model.heatmaps import confidences, gaussians, soft_argmax, spatial_softmax


@dataclass(frozen=True)
class Pose:
    """What E_p says of a batch of images: p_i of the method.

    `pose[partners]` takes the images in another order, as for a swap.
    """

    probabilities: Float[Tensor, "batch landmark height width"]
    """Softmax of the heatmaps over their cells."""
    points: Float[Tensor, "batch landmark 2"]
    """Soft-argmax points in unit coordinates."""
    gaussians: Float[Tensor, "batch landmark height width"]
    """A Gaussian drawn at each point: all of the pose that the decoder gets to see."""

    def __getitem__(self, order) -> "Pose":
        return Pose(self.probabilities[order], self.points[order], self.gaussians[order])


class LandmarkEncoder(nn.Module):
    """E_p: features at strides 4, 8, 16 to a `Pose` with heatmaps at stride 4."""

    def __init__(self, channels: tuple[int, ...], landmarks: int, width: int, sigma: float):
        super().__init__()
        self.sigma = sigma
        self.fusion = PyramidFusion(channels, width)
        self.heatmaps = nn.Conv2d(width, landmarks, 1)
        # Random scores over hundreds of cells average to the middle; scaled up they start apart.
        nn.init.normal_(self.heatmaps.weight, std=0.1)

    def forward(self, features: list[Tensor]) -> Pose:
        probabilities = spatial_softmax(self.heatmaps(self.fusion(features)))
        return self.pose(probabilities)

    def pose(self, probabilities: Float[Tensor, "batch landmark height width"]) -> Pose:
        """Points and Gaussians of given probability maps."""
        points = soft_argmax(probabilities)
        height, width = probabilities.shape[-2:]
        return Pose(probabilities, points, gaussians(points, height, width, self.sigma))

    def confidence(self, pose: Pose) -> Float[Tensor, "batch landmark"]:
        """In [0, 1]; see `swapmark.model.heatmaps.confidences`."""
        return confidences(pose.probabilities, pose.points, self.sigma)
