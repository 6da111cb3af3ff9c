"""Where a model lies: a run, a model folder, an ONNX file, a built-in name, a hub repository."""

import difflib
import os
import re
from pathlib import Path

from swapmark.data.sources import is_run
from swapmark.errors import InputError, RunError

BUILT_IN = Path(__file__).resolve().parent.parent / "models"
"""A folder each for the models that come with the package."""
MODEL_FILES = ("config.json", "model.safetensors", "README.md")
"""All of a model folder; nothing else is taken from the hub."""


def built_in_models() -> tuple[str, ...]:
    """Names of the models that come with swapmark, to be used in place of a run folder.

    >>> isinstance(built_in_models(), tuple)
    True
    """
    return tuple(sorted(path.parent.name for path in BUILT_IN.glob("*/config.json")))


def find_model(source: str | os.PathLike) -> Path:
    """The ONNX file or the model folder that `source` means.

    A file or folder of that name comes first, then a built-in model, then a repository of the
    Hugging Face hub, which is fetched into its cache. Raises RunError that says what is missing.
    """
    path = Path(source)
    if path.suffix.lower() == ".onnx" and not path.is_dir():
        if not path.is_file():
            raise RunError(
                f"There is no file {path}. Make one with: swapmark export RUN --out {path}"
            )
        return path
    if path.is_dir():
        found = _model_in(path)
        if (found / "config.json").is_file():
            return found
        if path.as_posix() in built_in_models():
            raise RunError(
                f"The folder {path} here holds no model, and hides the built-in model {path}. "
                f"Rename the folder, or work in another one."
            )
        if inside := sorted(run.parent for run in path.glob("*/config.yaml") if is_run(run.parent)):
            raise RunError(
                f"{path} is no run itself, but holds some: give one of them, such as {inside[0]}."
            )
        return found
    if path.exists():
        raise RunError(f"{path} is a file; expected a run folder, a model folder or an .onnx file.")
    name = path.as_posix()
    if name in built_in_models():
        return BUILT_IN / name
    if _may_be_on_the_hub(path):
        return _from_hub(name)
    there = ", ".join(built_in_models()) or "none in this version"
    raise RunError(
        f"There is no folder {path}.{_nearest(path)} Expected one made by `swapmark train`, an "
        f".onnx file, the name of a built-in model ({there}), or OWNER/NAME of a model on the "
        f"Hugging Face hub."
    )


def _model_in(folder: Path) -> Path:
    """The model of a run folder, or the folder itself."""
    from swapmark.training.run import Run

    run = Run(folder)
    if run.model.is_dir():
        return run.model
    if run.config.exists():
        raise RunError(
            f"The run in {folder} has no model yet: the first is written with its first "
            f"checkpoint. Go on with: swapmark train IMAGES --out {folder} --resume"
        )
    return folder


def _nearest(path: Path) -> str:
    """` Did you mean …?` with the built-in model, or the run or model beside it, most alike."""
    try:
        beside = sorted(path.parent.iterdir())
    except OSError:
        beside = []
    known = {
        folder.name: folder.as_posix()
        for folder in beside
        if (folder / "config.json").is_file() or is_run(folder)
    }
    if path.parent == Path():
        known |= {name: name for name in built_in_models()}
    lower = {name.lower(): full for name, full in known.items()}
    near = difflib.get_close_matches(path.name.lower(), lower, n=1, cutoff=0.75)
    return f" Did you mean {lower[near[0]]}?" if near else ""


def _may_be_on_the_hub(path: Path) -> bool:
    """OWNER/NAME, unless the first part is a folder here: then it is a path with a slip in it."""
    return bool(re.fullmatch(r"[A-Za-z0-9][\w.-]*/[\w.-]+", path.as_posix())) and not (
        path.parent.is_dir()
    )


def _from_hub(name: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise InputError(
            f"There is no folder {name} here, and to look for it on the Hugging Face hub the "
            f"package huggingface_hub is needed: pip install huggingface_hub"
        ) from error
    try:
        folder = Path(snapshot_download(name, allow_patterns=list(MODEL_FILES)))
    except Exception as error:  # also those of the HTTP library, which changes with the version
        reason = " ".join(str(error).split())[:200]
        raise RunError(
            f"There is no folder {name} here, and no model {name} could be had from the Hugging "
            f"Face hub: {reason}. Check the name and the connection; a private model needs "
            f"`hf auth login` first."
        ) from error
    for file in MODEL_FILES[:2]:
        if not (folder / file).is_file():
            raise RunError(
                f"{name} on the Hugging Face hub is no model of swapmark: it has no {file}."
            )
    return folder
