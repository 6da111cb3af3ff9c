"""A trained detector as a repository of the Hugging Face hub, in a folder or online."""

import os
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from swapmark import __version__
from swapmark.errors import InputError, OutputError, one_line
from swapmark.files import refuse_existing
from swapmark.model.familiar import FILE, read_familiar
from swapmark.model.store import fingerprint, load_model, save_model
from swapmark.predict.find import HUB_FILES, MODEL_FILES
from swapmark.specimens.point_map import PointMap, point_map_path
from swapmark.training.card import with_metadata

_SECTION = "\n## This export\n"


def save_hub(
    model: Path,
    folder: str | os.PathLike,
    *,
    license: str | None = None,
    name: str | None = None,
    points: tuple[str, PointMap] | None = None,
    overwrite: bool = False,
) -> Path:
    """Copy what finds landmarks of a model folder into `folder`, a repository of the hub.

    `license` is one of the hub's identifiers, such as `mit`; by default what the model's README.md
    says, else `unknown`. `name` is OWNER/NAME, for the card; `points` are own points, with the name
    they are kept under. Raises InputError where one of the
    files exists and `overwrite` is not set, or `folder` is the model itself.
    """
    folder = Path(folder)
    if folder.resolve() == model.resolve():
        raise InputError(f"{folder} is the model that is to be exported. Choose another folder.")
    if folder.suffix.lower() in (".onnx", ".safetensors"):
        raise InputError(f"{folder} would be a folder; expected a name without that ending.")
    own = [point_map_path(folder, points[0])] if points else []
    for file in (*own, *(folder / name for name in MODEL_FILES)):
        refuse_existing(file, overwrite=overwrite)
    path = model / "README.md"
    card = path.read_text(encoding="utf-8") if path.is_file() else "# Landmark detector\n"
    card = card.partition(_SECTION)[0].rstrip("\n")
    card += (
        f"\n{_SECTION}\nThe networks that find landmarks, without those that draw pictures. "
        f"Exported by swapmark {__version__}.\n"
    )
    if name:
        card = card.replace("THIS_FOLDER", name)
    save_model(folder, load_model(model), with_metadata(card, license=license))
    (folder / FILE).unlink(missing_ok=True)
    if familiar := read_familiar(model):
        familiar.save(folder)
    if points:
        # The weights' file is another without what draws pictures, though it finds the same.
        moved = replace(points[1], model=fingerprint(folder))
        moved.save(folder, points[0], overwrite=True)
    return folder


def push_to_hub(
    model: Path,
    name: str,
    *,
    license: str | None = None,
    points: tuple[str, PointMap] | None = None,
) -> str:
    """Send the detector to the hub as OWNER/NAME, and return the address of its repository.

    A new repository is private. Raises InputError for a name that is none, or where the package
    huggingface_hub is missing, and OutputError where the hub does not take the model.
    """
    if name.count("/") != 1:
        raise InputError(f"{name} is no name on the hub. Expected OWNER/NAME, such as jane/wings.")
    try:
        from huggingface_hub import HfApi
    except ImportError as error:
        raise InputError("Pushing a model needs: pip install huggingface_hub") from error
    with TemporaryDirectory() as folder:
        save_hub(model, folder, license=license, name=name, points=points)
        try:
            api = HfApi()
            address = api.create_repo(name, private=True, exist_ok=True)
            api.upload_folder(
                repo_id=name,
                folder_path=folder,
                allow_patterns=list(HUB_FILES),
                commit_message=f"Model exported by swapmark {__version__}",
            )
        except Exception as error:  # also those of the HTTP library, which changes with the version
            raise OutputError(
                f"The Hugging Face hub did not take {name}: {one_line(error)}. Log in with "
                f"`hf auth login` and check that you may write to {name}."
            ) from error
    return str(address)
