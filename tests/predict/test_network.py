"""The network in torch: squares to pixels of the squares."""

import numpy as np
import pytest

from swapmark.errors import InputError
from swapmark.model.model import ModelConfig, PoseModel
from swapmark.model.networks import Pose
from swapmark.predict.network import Network, TorchNetwork


class SpotModel(PoseModel):
    """Its one landmark is the middle of what is bright."""

    def __init__(self):
        super().__init__(ModelConfig(1, 64, backbone="plain", backbone_width=2, landmark_width=4))
        self.backbone.forward = lambda images: [images]
        self.landmark_encoder.forward = self.brightest

    def brightest(self, maps) -> Pose:
        bright = (maps[0].mean(dim=1, keepdim=True) - 0.35).clamp_min(0) + 1e-9
        return self.landmark_encoder.pose(bright / bright.sum(dim=(2, 3), keepdim=True))


def squares(*pictures) -> np.ndarray:
    return np.stack([np.stack([picture] * 3, axis=-1) for picture in pictures])


def test_landmarks_are_in_pixels_of_the_squares(spot):
    network = TorchNetwork(SpotModel(), "cpu", "abc")
    assert isinstance(network, Network)
    assert (network.landmarks, network.image_size, network.fingerprint) == (1, 64, "abc")
    xy, confidence = network.find(squares(spot(64, 64, 12.0, 20), spot(64, 64, 47.0, 20)))
    assert xy[:, 0] == pytest.approx(np.array([[12, 20], [47, 20]]), abs=0.3)
    assert confidence.shape == (2, 1)
    seen = network.see(squares(spot(64, 64, 12.0, 20)))
    assert np.array_equal(seen.xy[0], xy[0])
    assert [level.shape for level in seen.maps] == [(1, 64, 64, 3)]


def test_squares_that_must_not_be_written_to_are_seen_without_a_warning(spot):
    network, square = TorchNetwork(SpotModel(), "cpu"), squares(spot(64, 64, 12.0, 20))
    expected = network.find(square)[0]
    square.flags.writeable = False
    assert np.array_equal(network.find(square)[0], expected)


def test_confidence_is_low_where_a_landmark_may_be_in_two_places(spot):
    sharp = spot(64, 64, 32, 32)
    two = np.maximum(spot(64, 64, 6, 32), spot(64, 64, 58, 32))
    _, confidence = TorchNetwork(SpotModel(), "cpu").find(squares(sharp, two))
    assert 0 <= confidence[1, 0] < 0.3 < 0.7 < confidence[0, 0] <= 1


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "mps:7"])
def test_a_device_that_is_not_there_is_told_with_those_that_may_be(device):
    with pytest.raises(InputError, match=rf"'{device}'.*cuda, mps or cpu"):
        TorchNetwork(SpotModel(), device)
