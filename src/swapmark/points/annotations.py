"""Points marked by hand: landmarks.csv and the images it speaks of.

The table is the wide one of `swapmark.points.wide`, with the column `split` (train, fit or test)
and names of files relative to the table. Empty cells are points that are not marked.
"""

import os
import zipfile
from pathlib import Path, PurePosixPath

from swapmark.data.archives import DAMAGED
from swapmark.data.items import Item
from swapmark.data.sources import list_images
from swapmark.errors import InputError
from swapmark.points.text import check_length, read_text_table
from swapmark.points.wide import wide_from_text
from swapmark.types import Annotations

TABLE = "landmarks.csv"


def read_annotations(source: str | os.PathLike, *, default_split: str | None = None) -> Annotations:
    """Read landmarks.csv from a zip, a folder, or by its own path.

    Without the column split all images get `default_split`; if that is None, this is an error.
    Raises InputError, with the line, for anything that is not as described above: unknown splits,
    half-marked points, cells that are not numbers, files named twice. Groups may straddle splits.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "landmarks.csv").write_text("file,split,a_x,a_y\\na.png,fit,1,2\\n")
    ...     annotations = read_annotations(folder)
    >>> annotations.names, annotations.files, annotations.xy.tolist()
    (('a',), ('a.png',), [[[1.0, 2.0]]])
    """
    where, content, _ = _locate(Path(source).expanduser())
    table = wide_from_text(read_text_table(where, content))
    splits = table.splits
    if splits is None and default_split is not None:
        splits = (default_split,) * len(table)
    if splits is None:
        raise InputError(
            f"{where} has no column split. Give it one, with train, fit or test for each image."
        )
    return Annotations(
        names=table.names,
        files=table.files,
        splits=splits,
        groups=table.groups or ("",) * len(table),
        xy=table.xy,
    )


def annotated_items(source: str | os.PathLike, annotations: Annotations) -> list[Item]:
    """List the images of the annotations, in their order, under their names.

    `source` is what `read_annotations` was given. Raises InputError for images that are not there.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "landmarks.csv").write_text("file,split,a_x,a_y\\nb.png,fit,1,2\\n")
    ...     _ = Path(folder, "b.png").write_bytes(b"content")
    ...     [item.name for item in annotated_items(folder, read_annotations(folder))]
    ['b.png']
    """
    path = Path(source).expanduser()
    where, _, base = _locate(path)
    found = {
        item.name: item
        for item in list_images(path.parent if path.suffix.lower() == ".csv" else path)
    }
    wanted = [(base / file).as_posix() for file in annotations.files]
    missing = [name for name in wanted if name not in found]
    if missing:
        raise InputError(
            f"{len(missing)} of the {len(wanted)} images named in {where} are not there: "
            f"{', '.join(missing[:5])}{' …' if len(missing) > 5 else ''}. Names are relative to "
            "the table; correct the column file, or put the images there."
        )
    return [
        Item(file, found[name].fingerprint, found[name].read)
        for file, name in zip(annotations.files, wanted, strict=True)
    ]


def _locate(path: Path) -> tuple[str, bytes, PurePosixPath]:
    """The table's place in words, its bytes, and the folder inside the source that it lies in."""
    if path.is_dir() or path.suffix.lower() == ".csv":
        table = path / TABLE if path.is_dir() else path
        if not table.is_file():
            raise InputError(
                f"There is no {table}. Give a folder or zip with images and {TABLE}, or the table."
            )
        check_length(str(table), table.stat().st_size)
        return str(table), table.read_bytes(), PurePosixPath()
    if not path.is_file():
        raise InputError(f"There is no {path}. Give a folder or zip with images and {TABLE}.")
    try:
        with zipfile.ZipFile(path) as archive:
            tables = [
                member
                for member in archive.infolist()
                if PurePosixPath(member.filename).name == TABLE
                and "__MACOSX" not in member.filename
            ]
            if len(tables) != 1:
                raise InputError(f"{path} holds {len(tables)} files called {TABLE}; expected one.")
            where = f"{path}/{tables[0].filename}"
            check_length(where, tables[0].file_size)
            content = archive.read(tables[0])
    except (*DAMAGED, NotImplementedError, RuntimeError) as error:
        raise InputError(
            f"{path} cannot be read as a zip ({error}). Give a folder or zip with images and "
            f"{TABLE}, or the table itself."
        ) from error
    return where, content, PurePosixPath(tables[0].filename).parent
