"""Width and height of the images that a table names, for formats that count y from the bottom."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from unicodedata import normalize

import numpy as np

from swapmark.data.images import image_size
from swapmark.data.items import Item
from swapmark.data.pixels import ImageProblem
from swapmark.data.sources import list_images, read_file
from swapmark.errors import InputError


def image_sizes(files: Sequence[str], images: Path, *, walk: bool = True) -> np.ndarray:
    """Width and height (N, 2) in pixels of the named images, after the EXIF turn.

    `images` is a folder, zip or tar. An image is looked for in the folder under its name, and under
    its name without folders; with `walk` also under the latter anywhere inside. Raises InputError
    for images that are not there, that are there twice, that cannot be read, and for two names that
    lead to one image.

    >>> from tempfile import TemporaryDirectory
    >>> from PIL import Image
    >>> with TemporaryDirectory() as folder:
    ...     Image.new("L", (40, 30)).save(Path(folder, "a.png"))
    ...     image_sizes(["a.png"], Path(folder)).tolist()
    [[40, 30]]
    """
    found = {file: place for file in files if (place := _beside(file, images))}
    if walk and len(found) < len(set(files)):
        found = _inside(files, images)
    missing = [file for file in files if file not in found]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(files)} images are not in {images}, so their height is not "
            f"known: {', '.join(missing[:5])}{' …' if len(missing) > 5 else ''}. Name the folder "
            "or archive that holds them: images= in Python, --images on the command line."
        )
    first: dict[str, str] = {}
    for file, (place, _) in found.items():
        if (other := first.setdefault(place, file)) != file:
            raise InputError(
                f"{other} and {file} would both be {place} in {images}. Keep the images in their "
                "folders, so that each name has its own."
            )
    sizes = [_size(file, images, found[file][1]) for file in files]
    return np.array(sizes, dtype=np.int64).reshape(len(files), 2)


def _size(file: str, images: Path, read: Callable[[], bytes]) -> tuple[int, int]:
    try:
        return image_size(read())
    except (ImageProblem, OSError) as problem:
        raise InputError(f"The size of {file} in {images} is not known: {problem}") from problem


def _beside(file: str, folder: Path) -> tuple[str, Callable[[], bytes]] | None:
    """Name and reader of a file that lies right in the folder, found without a walk."""
    for name in (file, PurePosixPath(file).name):
        path = folder / name
        try:
            if path.is_file():
                return name, partial(read_file, path)
        except OSError:  # a name that is too long for the disk, or a folder that is closed to us
            continue
    return None


def _inside(files: Sequence[str], images: Path) -> dict[str, tuple[str, Callable[[], bytes]]]:
    """Names and readers of the files that are anywhere in a folder or archive."""
    items = list_images(images)
    # macOS splits letters from their accents in names; NFC joins them.
    exact = {normalize("NFC", item.name): item for item in items}
    bare: dict[str, list[Item]] = defaultdict(list)
    for name, item in exact.items():
        bare[PurePosixPath(name).name].append(item)
    found = {}
    for file in files:
        name = normalize("NFC", file)
        same = [exact[name]] if name in exact else bare.get(PurePosixPath(name).name, [])
        if len(same) > 1:
            raise InputError(
                f"{file} may be {same[0].name} or {same[1].name} in {images}. Name it with its "
                "folder, or give the folder that is meant."
            )
        if same:
            found[file] = same[0].name, same[0].read
    return found
