"""Width and height of the images that a table names, for formats that count y from the bottom."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from swapmark.data.images import image_size
from swapmark.data.items import check_bytes
from swapmark.data.pixels import ImageProblem
from swapmark.data.sources import list_images
from swapmark.errors import InputError


def image_sizes(files: Sequence[str], images: Path) -> np.ndarray:
    """Width and height (N, 2) in pixels of the named images, after the EXIF turn.

    `images` is a folder, zip or tar. An image is looked for under its name relative to it, then
    under its name without folders anywhere inside. Raises InputError for images that are not there,
    that are there twice, or that cannot be read.

    >>> from tempfile import TemporaryDirectory
    >>> from PIL import Image
    >>> with TemporaryDirectory() as folder:
    ...     Image.new("L", (40, 30)).save(Path(folder, "a.png"))
    ...     image_sizes(["a.png"], Path(folder)).tolist()
    [[40, 30]]
    """
    readers = _beside(files, images)
    if readers is None:
        readers = _inside(files, images)
    sizes = []
    for file, read in zip(files, readers, strict=True):
        try:
            content = read()
        except (ImageProblem, OSError) as error:
            raise InputError(f"The size of {file} in {images} is not known: {error}") from error
        sizes.append(_size(file, images, content))
    return np.array(sizes, dtype=np.int64).reshape(len(files), 2)


def _size(file: str, images: Path, content: bytes) -> tuple[int, int]:
    try:
        return image_size(content)
    except ImageProblem as problem:
        raise InputError(f"The size of {file} in {images} is not known: {problem}") from problem


def _beside(files: Sequence[str], folder: Path) -> list[Callable[[], bytes]] | None:
    """Readers of the files right under their names, without a walk through a large folder."""
    paths = [folder / file for file in files]
    if not all(path.is_file() for path in paths):
        return None

    def reader(path: Path) -> Callable[[], bytes]:
        def read() -> bytes:
            check_bytes(path.stat().st_size)
            return path.read_bytes()

        return read

    return [reader(path) for path in paths]


def _inside(files: Sequence[str], images: Path) -> list[Callable[[], bytes]]:
    items = list_images(images)
    exact = {item.name: item.read for item in items}
    bare: dict[str, list] = defaultdict(list)
    for item in items:
        bare[PurePosixPath(item.name).name].append(item)
    found, missing = [], []
    for file in files:
        same = bare.get(PurePosixPath(file).name, [])
        if file in exact:
            found.append(exact[file])
        elif len(same) > 1:
            raise InputError(
                f"{file} may be {same[0].name} or {same[1].name} in {images}. Name it with its "
                "folder, or give the folder that is meant."
            )
        elif same:
            found.append(same[0].read)
        else:
            missing.append(file)
    if missing:
        raise InputError(
            f"{len(missing)} of {len(files)} images are not in {images}, so their height is not "
            f"known: {', '.join(missing[:5])}{' …' if len(missing) > 5 else ''}. Name the folder "
            "or archive that holds them: images= in Python, --images on the command line."
        )
    return found  # pyright: ignore[reportReturnType]
