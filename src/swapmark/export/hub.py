"""A trained detector as a repository of the Hugging Face hub, in a folder or online."""

import os
from dataclasses import dataclass
from pathlib import Path

from swapmark import __version__
from swapmark.errors import InputError, OutputError
from swapmark.files import refuse_existing
from swapmark.predict.find import MODEL_FILES, find_model
from swapmark.training.card import with_metadata
from swapmark.training.checkpoint import load_model, save_model

_SECTION = "\n## This export\n"


@dataclass(frozen=True)
class HubExport:
    """What was written, and where it can be seen if it was pushed."""

    path: Path
    """The folder with config.json, model.safetensors and README.md."""
    size: int
    """Bytes of model.safetensors."""
    url: str | None = None


def export_hub(
    run: str | os.PathLike,
    out: str | os.PathLike = "hub-model",
    *,
    half: bool = False,
    push: str | None = None,
    license: str | None = None,
    overwrite: bool = False,
) -> HubExport:
    """Write the detector of a run as a model repository: a folder that `swapmark.load` reads.

    It holds the nets that find landmarks, not those that draw pictures. `half` stores the weights
    of the convolutions in float16. `license` is one of the hub's identifiers, such as `mit`;
    `unknown` unless the model's README.md says otherwise. With `push`, OWNER/NAME, the folder is
    sent to the hub, into a private repository if there is none yet.

    Raises InputError where one of the files exists and `overwrite` is not set or `out` has the
    ending of a file, RunError where there is no model, OutputError where the hub does not take it.

    >>> import swapmark
    >>> swapmark.export_hub("absent")
    Traceback (most recent call last):
    swapmark.errors.RunError: There is no folder absent. ...
    """
    out = Path(out)
    if out.suffix.lower() in (".onnx", ".safetensors"):
        raise InputError(
            f"{out} would be a folder, as a model for the hub is, and {out.suffix} is the ending "
            f"of a file. Name the folder, such as {out.with_suffix('')}; for an ONNX file choose "
            f"the format onnx."
        )
    for name in MODEL_FILES:
        refuse_existing(out / name, overwrite=overwrite)
    if push is not None:
        _check_name(push)
    folder = find_model(run)
    if folder.is_file():
        raise InputError(f"{folder} is an ONNX file; expected a run to export.")
    if out.resolve() == folder.resolve():
        raise InputError(f"{out} is the model that is to be exported. Choose another --out.")
    model, fit = load_model(folder)
    card = _card(folder, half=half, license=license, name=push)
    save_model(out, model.detector_only(), fit, card, half=half)
    url = _push(out, push) if push else None
    return HubExport(out, (out / "model.safetensors").stat().st_size, url)


def _card(folder: Path, *, half: bool, license: str | None, name: str | None) -> str:
    """The card of the model, and what of it this export holds."""
    path = folder / "README.md"
    card = path.read_text(encoding="utf-8") if path.is_file() else "# Landmark detector\n"
    card = card.partition(_SECTION)[0].rstrip("\n")
    if name:
        card = card.replace("THIS_FOLDER", name)
    precision = "float16 (norms and biases: float32)" if half else "float32"
    card += f"""
{_SECTION}
The nets that find landmarks, without those that draw pictures; weights in {precision}. Exported by
swapmark {__version__}.
"""
    return with_metadata(card, license=license)


def _check_name(name: str) -> None:
    owner, slash, rest = name.partition("/")
    if not (owner and slash and rest) or "/" in rest:
        raise InputError(f"--push {name!r}: expected OWNER/NAME, such as jane/wing-landmarks.")
    try:
        import huggingface_hub  # noqa: F401
    except ImportError as error:
        raise InputError(
            "To push a model the package huggingface_hub is needed: pip install huggingface_hub"
        ) from error


def _push(folder: Path, name: str) -> str:
    """Send the three files; gives the address of the repository."""
    from huggingface_hub import HfApi

    api = HfApi()
    try:
        address = api.create_repo(name, private=True, exist_ok=True)
        api.upload_folder(
            repo_id=name,
            folder_path=folder,
            allow_patterns=list(MODEL_FILES),
            commit_message=f"Model exported by swapmark {__version__}",
        )
    except Exception as error:  # also those of the HTTP library, which changes with the version
        reason = " ".join(str(error).split())[:200]
        raise OutputError(
            f"The Hugging Face hub did not take {name}: {reason}. Log in with `hf auth login` and "
            f"check that you may write to {name}. The model itself is in {folder}."
        ) from error
    return str(address)
