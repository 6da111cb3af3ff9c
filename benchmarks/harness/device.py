"""What a device can do, and what a step of training does with it; only what was measured."""

import math
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

LATE = 0.9
"""The share of a run that is over in the steps measured: all terms take part."""


class Steps(Protocol):
    """A training that can be asked for a step."""

    batch: int
    device: torch.device

    def step(self, progress: float) -> dict[str, Tensor]:
        """One step when `progress` of the run is over."""
        ...


def wait(device: torch.device) -> None:
    """Wait for the device to be done."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def seconds_of(work: Callable[[], object], device: torch.device, least: float) -> float:
    """Seconds that `work` takes, as the mean of about `least` seconds of it, warmed up."""

    def timed(count: int) -> float:
        wait(device)
        began = time.perf_counter()
        for _ in range(count):
            work()
        wait(device)
        return (time.perf_counter() - began) / count

    timed(1)
    once = timed(1)
    return once if once > least else timed(max(2, min(200, int(least / once))))


def device_rates(
    device: torch.device, matrix: int, convolution: tuple[int, int, int], copied: int
) -> dict[str, float]:
    """Tera-operations and gigabytes a second of what a network is made of, in bfloat16."""
    batch, channels, side = convolution
    with torch.device(device), torch.no_grad():
        a, b = torch.randn(2, matrix, matrix, dtype=torch.bfloat16)
        maps = torch.randn(batch, channels, side, side, dtype=torch.bfloat16)
        maps = maps.contiguous(memory_format=torch.channels_last)
        kernel = torch.randn(channels, channels, 3, 3, dtype=torch.bfloat16)
        kernel = kernel.contiguous(memory_format=torch.channels_last)
        source, target = torch.zeros(2, copied, dtype=torch.uint8)
    product = seconds_of(lambda: a @ b, device, 0.5)
    convolved = seconds_of(lambda: F.conv2d(maps, kernel, padding=1), device, 0.5)
    copy = seconds_of(lambda: target.copy_(source), device, 0.3)
    operations = 2 * 9 * batch * (channels * side) ** 2
    return {
        "matrix_product_tflops": float(f"{2 * matrix**3 / product / 1e12:.4g}"),
        "convolution_tflops": float(f"{operations / convolved / 1e12:.4g}"),
        "copy_gb_a_second": round(2 * copied / copy / 1e9, 1),
    }


def step_rate(training: Steps, least: float) -> dict[str, float]:
    """Images a second and peak memory of a step of c3 with both of its stages."""
    cuda = training.device.type == "cuda"
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    seconds = seconds_of(lambda: training.step(LATE), training.device, least)
    peak = torch.cuda.max_memory_allocated() / 2**30 if cuda else math.nan
    return {
        "batch": training.batch,
        "images_a_second": round(training.batch / seconds, 1),
        **({"peak_gib": round(peak, 2)} if cuda else {}),
    }


def operations_of(training: Steps) -> float:
    """Floating-point operations a step needs for an image, forward and backward."""
    with FlopCounterMode(display=False) as counter:
        training.step(LATE)
    return counter.get_total_flops() / training.batch


def waits_of(training: Steps) -> list[str]:
    """The lines of ours at which a step waits for the device; there should be none."""
    if training.device.type != "cuda":
        return []
    found = set()

    def note(message: Warning | str, *_: object) -> None:
        lines = [f for f in traceback.extract_stack() if "swapmark" in Path(f.filename).parts]
        last = [f"{Path(line.filename).name}:{line.lineno}" for line in lines[-2:]]
        found.add(" > ".join(last) or str(message))

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = note
        torch.cuda.set_sync_debug_mode("warn")
        try:
            training.step(LATE)
        finally:
            torch.cuda.set_sync_debug_mode("default")
    return sorted(found)


def profile_of(training: Steps, count: int = 3) -> dict:
    """How long the device works in a step, in ms, and the ten entries that take the longest."""
    cuda = training.device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda else [])]
    with profile(activities=activities) as recorded:
        for _ in range(count):
            training.step(LATE)
        wait(training.device)
    name = "self_device_time_total" if cuda else "self_cpu_time_total"
    kind = "CUDA" if cuda else "CPU"
    entries = [entry for entry in recorded.key_averages() if entry.device_type.name == kind]
    total = sum(getattr(entry, name) for entry in entries) or 1
    longest = [
        {
            "name": entry.key[:100],
            "ms": round(getattr(entry, name) / count / 1000, 3),
            "calls": entry.count / count,
            "share": round(getattr(entry, name) / total, 3),
        }
        for entry in sorted(entries, key=lambda entry: -getattr(entry, name))[:10]
    ]
    return {
        "batch": training.batch,
        "device_ms": round(total / count / 1000, 3),
        "longest": longest,
    }
