"""Width and height of the images that a table names, for formats that count y from the bottom."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from swapmark.data.images import image_size
from swapmark.data.items import Item, check_bytes
from swapmark.data.pixels import ImageProblem
from swapmark.data.sources import list_images
from swapmark.errors import InputError


def image_sizes(files: Sequence[str], images: Path, *, walk: bool = True) -> np.ndarray:
    """Width and height (N, 2) in pixels of the named images, after the EXIF turn.

    `images` is a folder, zip or tar. An image is looked for in the folder under its name, and under
    its name without folders; with `walk` also under the latter anywhere inside. Raises InputError
    for images that are not there, that are there twice, or that cannot be read.

    >>> from tempfile import TemporaryDirectory
    >>> from PIL import Image
    >>> with TemporaryDirectory() as folder:
    ...     Image.new("L", (40, 30)).save(Path(folder, "a.png"))
    ...     image_sizes(["a.png"], Path(folder)).tolist()
    [[40, 30]]
    """
    readers = {file: reader for file in files if (reader := _beside(file, images))}
    if walk and len(readers) < len(set(files)):
        readers = _inside(files, images)
    missing = [file for file in files if file not in readers]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(files)} images are not in {images}, so their height is not "
            f"known: {', '.join(missing[:5])}{' …' if len(missing) > 5 else ''}. Name the folder "
            "or archive that holds them: images= in Python, --images on the command line."
        )
    sizes = [_size(file, images, readers[file]) for file in files]
    return np.array(sizes, dtype=np.int64).reshape(len(files), 2)


def _size(file: str, images: Path, read: Callable[[], bytes]) -> tuple[int, int]:
    try:
        return image_size(read())
    except (ImageProblem, OSError) as problem:
        raise InputError(f"The size of {file} in {images} is not known: {problem}") from problem


def _beside(file: str, folder: Path) -> Callable[[], bytes] | None:
    """A reader of a file that lies right in the folder, found without a walk."""
    for path in (folder / file, folder / PurePosixPath(file).name):
        if path.is_file():
            return partial(_read, path)
    return None


def _read(path: Path) -> bytes:
    check_bytes(path.stat().st_size)
    return path.read_bytes()


def _inside(files: Sequence[str], images: Path) -> dict[str, Callable[[], bytes]]:
    """Readers of the files that are anywhere in a folder or archive."""
    items = list_images(images)
    exact = {item.name: item for item in items}
    bare: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        bare[PurePosixPath(item.name).name].append(item)
    found = {}
    for file in files:
        same = [exact[file]] if file in exact else bare.get(PurePosixPath(file).name, [])
        if len(same) > 1:
            raise InputError(
                f"{file} may be {same[0].name} or {same[1].name} in {images}. Name it with its "
                "folder, or give the folder that is meant."
            )
        if same:
            found[file] = same[0].read
    return found
