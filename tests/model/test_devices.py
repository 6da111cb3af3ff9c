"""Without a distributed run there is nothing to agree on; tests/objectives has one with two."""

import torch

from swapmark.model.devices import mean_over_devices


def test_a_single_process_keeps_its_values_and_no_gradient():
    values = torch.rand(3, requires_grad=True)
    found = mean_over_devices(values)
    assert torch.equal(found, values)
    assert not found.requires_grad
