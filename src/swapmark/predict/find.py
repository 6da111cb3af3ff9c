"""Where a model lies: a run, a model folder, an ONNX file, a built-in name, a hub repository."""

import difflib
import os
import re
from pathlib import Path

from swapmark.data.sources import is_run
from swapmark.errors import InputError, RunError, one_line
from swapmark.model.familiar import FILE, Familiar, parse_familiar, read_familiar
from swapmark.predict.network import Network, TorchNetwork
from swapmark.predict.onnx_network import OnnxNetwork

BUILT_IN = Path(__file__).resolve().parent.parent / "models"
"""A folder each for the models that come with the package."""
MODEL_FILES = ("config.json", "model.safetensors", "README.md")
"""All of a model folder."""
HUB_FILES = (*MODEL_FILES, FILE, "points/*.json")
"""What is taken from the hub, and sent there: the model, what it knows, and own points."""


def built_in_models() -> tuple[str, ...]:
    """Names of the models that come with swapmark, to be used in place of a run folder."""
    return tuple(sorted(path.parent.name for path in BUILT_IN.glob("*/config.json")))


def open_network(source: str | os.PathLike, device: str | None = None) -> Network:
    """The network of a run, model folder, .onnx file, built-in name or hub repository.

    device: `cuda`, `mps` or `cpu`; the best there is by default, the CPU for an .onnx file.
    Raises RunError as `find_model`, and InputError for a device or a package that is not there.
    """
    found = find_model(source)
    if found.is_file():
        return OnnxNetwork(found, device)
    try:
        from swapmark.model.store import fingerprint, load_model
    except ModuleNotFoundError as error:
        raise InputError(
            f"{source} needs torch ({error.name} is not installed). Install swapmark with all it "
            f"depends on, or export the model elsewhere and load the .onnx file."
        ) from error
    return TorchNetwork(load_model(found), device, fingerprint(found))


def find_familiar(found: Path, network: Network) -> Familiar | None:
    """What the network's training pictures look like, where that was kept with it."""
    if isinstance(network, OnnxNetwork):
        return parse_familiar(network.properties.get("familiar", "")) if network.maps else None
    return read_familiar(found)


def find_model(source: str | os.PathLike) -> Path:
    """The ONNX file or the model folder that `source` means.

    A file or folder of that name comes first, then a built-in model, then a repository of the
    Hugging Face hub, which is fetched into its cache. Raises RunError that says what is missing.
    """
    path = Path(source)
    name = path.as_posix()
    if path.is_dir():
        return _model_in(path)
    if path.suffix.lower() == ".onnx" and path.is_file():
        return path
    if path.exists():
        raise RunError(f"{path} is a file; expected a run folder, a model folder or an .onnx file.")
    if name in built_in_models():
        return BUILT_IN / name
    # OWNER/NAME, unless the first part is a folder here: then it is a path with a slip in it.
    if re.fullmatch(r"[A-Za-z0-9][\w.-]*/[\w.-]+", name) and not path.parent.is_dir():
        return _from_hub(name)
    there = ", ".join(built_in_models()) or "none"
    raise RunError(
        f"There is no {path}.{_nearest(path)} Expected a run made by `swapmark train`, an .onnx "
        f"file made by `swapmark export`, a built-in model ({there}), or OWNER/NAME of a model on "
        f"the Hugging Face hub."
    )


def _model_in(folder: Path) -> Path:
    """The model of a run folder, or the folder itself."""
    for place in (folder / "model", folder):
        if (place / "config.json").is_file():
            return place
    if (folder / "config.yaml").exists():
        raise RunError(
            f"The run in {folder} has no model yet: the first one is written with the first "
            f"checkpoint. Go on with: swapmark train IMAGES --out {folder} --resume"
        )
    inside = sorted(run.parent for run in folder.glob("*/config.yaml") if is_run(run.parent))
    advice = f"Give one of the runs in it, such as {inside[0]}." if inside else ""
    if folder.as_posix() in built_in_models():
        advice = f"It hides the built-in model {folder}: rename it, or work in another folder."
    raise RunError(
        f"There is no model in the folder {folder}. "
        f"{advice or 'Expected a run made by `swapmark train`, or the folder model/ in it.'}"
    )


def _nearest(path: Path) -> str:
    """` Did you mean …?` with the built-in model, or the run or model beside it, most alike."""
    beside = path.parent.iterdir() if path.parent.is_dir() else ()
    known = {
        folder.name.lower(): folder.as_posix()
        for folder in sorted(beside)
        if (folder / "config.json").is_file() or is_run(folder)
    }
    if path.parent == Path():
        known |= {name.lower(): name for name in built_in_models()}
    near = difflib.get_close_matches(path.name.lower(), known, n=1, cutoff=0.75)
    return f" Did you mean {known[near[0]]}?" if near else ""


def _from_hub(name: str) -> Path:
    try:
        from huggingface_hub import snapshot_download

        return _model_in(Path(snapshot_download(name, allow_patterns=list(HUB_FILES))))
    except RunError:
        raise
    except Exception as error:  # also those of the HTTP library, which changes with the version
        raise RunError(
            f"There is no folder {name} here, and the Hugging Face hub did not give a model of "
            f"that name: {one_line(error)}. Check the name and the connection; a private model "
            f"needs `hf auth login` first."
        ) from error
