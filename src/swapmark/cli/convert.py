"""`swapmark convert`: points from one file format to another."""

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

Format = Literal["csv", "tps", "dlc", "coco", "morphoj", "parquet"]


def convert(
    source: Path,
    target: Path,
    *,
    read_as: Annotated[Format | None, Parameter(name="--from")] = None,
    write_as: Annotated[Format | None, Parameter(name="--to")] = None,
    images: Path | None = None,
    overwrite: bool = False,
) -> None:
    """Turn points from one file format into another, and say what is lost.

    The formats are CSV, TPS (tpsDig), DeepLabCut, COCO keypoints, MorphoJ and Parquet.

    Parameters
    ----------
    source
        The file to read.
    target
        The file to write.
    read_as
        Format of SOURCE, where its ending and its first lines don't tell.
    write_as
        Format of TARGET; by default .csv is csv, .tps tps, .json coco, .txt morphoj, .parquet
        parquet. DeepLabCut's .csv must be named: dlc.
    images
        Folder, zip or tar of the images, where TPS needs their heights and they do not lie beside
        SOURCE.
    overwrite
        Replace TARGET if it exists.
    """
    import swapmark
    from swapmark.errors import counted

    converted = swapmark.convert(
        source, target, read_as=read_as, write_as=write_as, images=images, overwrite=overwrite
    )
    table = converted.table
    each = f"{counted(len(table.names), 'point')} each"
    print(f"{counted(len(table), 'image')}, {each}: {target}")
    for lost in converted.lost:
        print(f"Not in {target.name}: {lost}", file=sys.stderr)
