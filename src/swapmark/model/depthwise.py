"""Depthwise convolutions whose kernel does not take long to be taught on a CPU.

oneDNN's code for the gradient of a depthwise kernel is ten times slower for kernels of more than
three columns, however many rows they have. So it is asked for three columns at a time.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

FAST = 3
"""Columns."""


def depthwise(maps: Tensor, weight: Tensor, bias: Tensor | None, stride: int) -> Tensor:
    """The convolution of each channel with a kernel of its own, padded by half of the kernel.

    maps: (batch, channel, height, width). weight: (channel, 1, kernel, kernel), kernel odd.
    """
    slow = weight.shape[-1] > FAST and maps.device.type == "cpu" and maps.dtype == torch.float32
    if slow and weight.requires_grad and torch.is_grad_enabled():
        return _WideKernel.apply(maps, weight, bias, stride)  # pyright: ignore[reportReturnType]
    return F.conv2d(maps, weight, bias, stride, weight.shape[-1] // 2, groups=len(weight))


class _WideKernel(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, maps: Tensor, weight: Tensor, bias: Tensor | None, stride: int) -> Tensor:
        ctx.save_for_backward(maps, weight)
        ctx.stride = stride
        return F.conv2d(maps, weight, bias, stride, weight.shape[-1] // 2, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (grad,), (maps, weight) = grads, ctx.saved_tensors
        half, of_columns = weight.shape[-1] // 2, []
        for left in range(0, 2 * half, FAST - 1):
            # Shifted, so that the columns of the kernel from `left` on begin where the maps do.
            shifted = F.pad(maps, (half - left, left + FAST - 1 - half))
            columns = weight[..., left : left + FAST].contiguous()
            _, found = _gradients(grad, shifted, columns, ctx.stride, (half, 0), (False, True))
            of_columns.append(found if left == 0 else found[..., 1:])  # they overlap by one
        of_maps, of_bias = ctx.needs_input_grad[0], ctx.needs_input_grad[2]
        back, _ = _gradients(grad, maps, weight, ctx.stride, (half, half), (of_maps, False))
        # The bias by itself: with it oneDNN would find the kernel's gradient along.
        bias = grad.sum(dim=(0, 2, 3)) if of_bias else None
        return back, torch.cat(of_columns, dim=-1), bias, None


def _gradients(
    grad: Tensor,
    maps: Tensor,
    weight: Tensor,
    stride: int,
    padding: tuple[int, int],
    wanted: tuple[bool, bool],
) -> tuple[Any, Any]:
    """Those of the maps and of the kernel, each if wanted."""
    return torch.ops.aten.convolution_backward(
        grad, maps, weight, None, [stride] * 2, padding, [1, 1], False, [0, 0], len(weight),
        [*wanted, False],
    )[:2]  # fmt: skip
