"""Depthwise convolutions: the gradients are those of torch's own."""

import pytest
import torch
import torch.nn.functional as F

from swapmark.model.depthwise import depthwise


@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(8, 8), (1, 1), (7, 10), (2, 5)])
def test_gradients_are_those_of_torch(kernel, stride, size):
    torch.manual_seed(0)
    maps, weight = torch.randn(3, 6, *size), torch.randn(6, 1, kernel, kernel)
    maps = maps.contiguous(memory_format=torch.channels_last)
    given = [value.requires_grad_() for value in (maps, weight, torch.randn(6))]
    found = depthwise(*given, stride)
    expected = F.conv2d(*given, stride, kernel // 2, groups=6)
    torch.testing.assert_close(found, expected)
    grad = torch.randn_like(expected)
    found, expected = (torch.autograd.grad(value, given, grad) for value in (found, expected))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_what_needs_no_gradient_gets_none():
    maps, weight = torch.randn(2, 4, 6, 6), torch.randn(4, 1, 5, 5, requires_grad=True)
    depthwise(maps, weight, None, 1).sum().backward()
    assert weight.grad is not None
    assert maps.grad is None
    with torch.no_grad():
        assert depthwise(maps, weight, None, 1).grad_fn is None
