"""IMM, the TPS-paired baseline: both images of a pair are warps of one picture.

Source: Jakab, Gupta, Bilen, Vedaldi 2018, "Unsupervised Learning of Object Landmarks through
Conditional Image Generation". Symbols: I the target view, p its pose, I' its thin-plate-spline
warp, a' the appearance of I'.
"""

from torch import Tensor, nn

from swapmark.data.views import Batch
from swapmark.model.model import SwapModel
from swapmark.objectives.perceptual import PerceptualDistance


class Imm(nn.Module):
    """The loss P(I, D(a', p)): paint the view from the warped copy's looks and the view's pose."""

    def __init__(self, model: SwapModel, perceptual: PerceptualDistance):
        super().__init__()
        self.model = model
        self.perceptual = perceptual

    def forward(self, batch: Batch, progress: float = 0.0) -> dict[str, Tensor]:
        """The terms by name, and their sum as `loss`. `progress` is not used."""
        model, P = self.model, self.perceptual
        features = model.features(batch.images)
        targets = P.targets(batch.images, features)
        p = model.landmark_encoder(features)
        a_prime = model.appearance(batch.warped)
        loss = P(targets, model.decode(a_prime, p), batch.mask, update=self.training)
        return {"loss": loss, "reconstruction": loss.detach()}
