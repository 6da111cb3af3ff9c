import numpy as np
import pytest
import torch
from PIL import Image

from swapmark.model.model import ModelConfig, SwapModel
from swapmark.training.run import Run
from swapmark.training.samples import draw_samples

WIDTHS = {"backbone_width": 2, "landmark_width": 4, "appearance_width": 4, "decoder_width": 4}
SMALL = ModelConfig(landmarks=2, image_size=32, backbone="plain", **WIDTHS)


def picture(path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize(
    ("count", "columns", "swap_back", "rows"),
    [(2, 2, True, 4), (3, 2, False, 3), (7, 6, True, 4), (20, 8, False, 3)],
)
def test_a_sheet_has_a_column_an_image_in_whole_pairs(tmp_path, count, columns, swap_back, rows):
    probes = torch.rand(count, 3, 32, 32)
    draw_samples(Run(tmp_path), SwapModel(SMALL), probes, 100, swap_back=swap_back)
    height, width = picture(tmp_path / "samples" / "step-0000100.png").shape[:2]
    assert width == columns * (128 + 4) + 4
    assert height // 128 == rows, "input, partner, first swap, and the second where it is trained"


def test_the_partner_of_each_image_is_shown_under_it(tmp_path):
    images = torch.zeros(2, 3, 32, 32)
    images[0, 0], images[1, 2] = 1.0, 1.0  # red and blue
    draw_samples(Run(tmp_path), SwapModel(SMALL), images, 1, swap_back=False)
    sheet = picture(tmp_path / "samples" / "step-0000001.png")
    red = (sheet == (255, 0, 0)).all(axis=2)
    rows, columns = np.nonzero(red[:, : 128 + 4])[0], np.nonzero(red[:, 128 + 4 :])[0]
    assert rows.min() < columns.min(), "the first image is red; lower down, the second's partner is"
