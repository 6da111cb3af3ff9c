"""Mirror pairs: what is found in a mirror is turned back, and pairs of landmarks change places."""

import pytest
import torch
from tagged import SIZE, TaggedModel, pose_at
from torch import Tensor, nn

from swapmark.model.heatmaps import gaussians, soft_argmax
from swapmark.model.model import ModelConfig, SwapModel
from swapmark.model.networks import Pose
from swapmark.objectives.mirror import features_and_pose


class Blobs(nn.Module):
    """Finds landmarks at the middles of the red, green and blue blobs of an image, or, `by_side`,
    takes the left one of red and green for the first."""

    pose = staticmethod(lambda maps: pose_at(soft_argmax(maps)))

    def __init__(self, *, by_side: bool):
        super().__init__()
        self.by_side = by_side

    def forward(self, features: list[Tensor]) -> Pose:
        maps = features[0] / features[0].sum(dim=(-2, -1), keepdim=True)
        if self.by_side:
            x = soft_argmax(maps)[:, :2, 0]
            wrong = (x[:, 0] > x[:, 1])[:, None, None, None]
            maps = torch.where(wrong, maps[:, [1, 0, 2]], maps)
        return Pose(maps, soft_argmax(maps), maps)


@pytest.mark.parametrize(
    ("by_side", "pairs", "apart"),
    [
        (True, 1, 0.0),  # the pair changes sides, the third is where it was
        (True, 0, 0.0),  # nothing is mirrored
        (False, 1, 0.5),  # red, found in the mirror, is taken for what green is, and green for red
    ],
)
def test_the_landmarks_of_mirror_pairs_change_places_in_every_second_image(by_side, pairs, apart):
    points = torch.tensor([[-0.25, 0.0], [0.25, 0.0], [0.5, 0.5]]).expand(4, 3, 2)
    model = TaggedModel()
    model.landmark_encoder = Blobs(by_side=by_side)
    _, pose = features_and_pose(model, gaussians(points, SIZE, SIZE, 0.1), pairs)
    off = (pose.points - points).norm(dim=-1)
    assert off[[0, 2]].max() < 1e-3
    expected = torch.tensor([apart, apart, 0.0]).expand(2, 3)
    torch.testing.assert_close(off[[1, 3]], expected, atol=1e-3, rtol=0)


def test_features_of_a_mirrored_image_are_turned_back_and_train_the_networks():
    widths = {"backbone_width": 8, "landmark_width": 8}
    model = SwapModel(ModelConfig(backbone="plain", landmarks=2, image_size=32, **widths))
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    features, pose = features_and_pose(model, images, 1)
    plain, mirrored = model.features(images), model.features(images.flip(-1))
    for found, first, second in zip(features, plain, mirrored, strict=True):
        torch.testing.assert_close(found[0], first[0])
        torch.testing.assert_close(found[1], second[1].flip(-1))
    pose.points[1].square().sum().backward()
    assert model.landmark_encoder.heatmaps.weight.grad.abs().max() > 0
