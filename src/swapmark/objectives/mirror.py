"""Mirror pairs: landmarks that change places when a picture is mirrored (see `C3Config`)."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from swapmark.model.model import SwapModel
from swapmark.model.networks import Pose


def features_and_pose(
    model: SwapModel, images: Float[Tensor, "batch 3 height width"], pairs: int
) -> tuple[list[Tensor], Pose]:
    """N of the images, and their pose; with mirror pairs every second one is seen in a mirror.

    What is found in the mirror is turned back, the features too. So a known equivariance holds
    under mirrors, and the appearance of these images is that of mirrored features.
    """
    encoder = model.landmark_encoder
    if not pairs:
        features = model.features(images)
        return features, encoder(features)
    odd = torch.arange(len(images), device=images.device) % 2 == 1
    features = model.features(_mirrored_where(odd, images))
    maps = encoder(features).probabilities
    order = [k ^ 1 if k < 2 * pairs else k for k in range(maps.shape[1])]  # 1, 0, 3, 2, …, 8, 9
    maps = torch.where(odd[:, None, None, None], maps[:, order], maps)
    turned_back = [_mirrored_where(odd, layer) for layer in features]
    return turned_back, encoder.pose(_mirrored_where(odd, maps))


def _mirrored_where(
    condition: Bool[Tensor, " batch"], maps: Float[Tensor, "batch channel height width"]
) -> Float[Tensor, "batch channel height width"]:
    return torch.where(condition[:, None, None, None], maps.flip(-1), maps)
