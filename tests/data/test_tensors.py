import numpy as np
import torch

from swapmark.data.tensors import as_model_input, partners_of


def test_the_nets_take_what_was_read_channels_first_from_0_to_1():
    squares = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    images = as_model_input(torch.from_numpy(squares))
    assert images.dtype == torch.float32
    assert images.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_allclose(images.numpy(), squares.transpose(0, 3, 1, 2) / 255, rtol=1e-6)


def test_partners_come_in_twos():
    assert partners_of(torch.zeros(6, 3, 4, 4)).tolist() == [1, 0, 3, 2, 5, 4]
