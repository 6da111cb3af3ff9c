"""ImageJ's table of results, a row a point, turned into the wide table, a row an image.

`X` and `Y` count from the centre of the top left pixel, as ours do: of ImageJ's points "integer
coordinates refer to the center of a pixel" (its class Roi). They are in units of the image's scale,
if it has one, and the table does not say which.

`Label` is TITLE or TITLE:ROI; in a stack FOLDER:SLICE or FOLDER:ROI:SLICE, where a slice of an
image sequence bears the name of its file without the ending. Points are told apart by their
`Counter`, by the names that the user gave to ROIs, or by their order. Further columns are measures.
"""

import re
import warnings
from collections import Counter

from swapmark.errors import InputError, LeftOutWarning
from swapmark.points.text import Table

SUMMARY = {"Mean", "SD", "Min", "Max"}
"""Labels of the rows that Summarize adds."""
OWN_NAME = re.compile(r"\d+(-\d+)+|")
"""How ImageJ names ROIs that the user did not, by their place: 0012-0345."""


def is_of_imagej(header: list[str]) -> bool:
    """Whether these are the columns of ImageJ's results for points."""
    return {"X", "Y"} <= set(header) and "file" not in header


def a_row_an_image(table: Table) -> Table:
    """The same points as a wide table; raises InputError where images or points cannot be told."""
    where, header = table.where, table.rows[0][1]
    if "Label" not in header:
        raise InputError(
            f"{where} has X and Y, as ImageJ's results, but no Label, which names the image. Tick "
            "Display label in Analyze > Set Measurements there, and measure again."
        )
    rows = [(place, dict(zip(header, cells, strict=True))) for place, cells in table.rows[1:]]
    rows = [(place, row) for place, row in rows if row["Label"] not in SUMMARY]
    files, rois = _files_and_rois(where, [row for _, row in rows])
    names, by_order = _names(files, rois, [row.get("Counter", "") for _, row in rows])
    points: dict[str, dict[str, dict[str, str]]] = {}
    first: dict[str, str] = {}
    for (place, row), file, name in zip(rows, files, names, strict=True):
        points.setdefault(file, {})[name] = row
        first.setdefault(file, place)
    every = list(dict.fromkeys(names))
    few = next((file for file in points if len(points[file]) < len(every)), None)
    if by_order and few is not None:
        raise InputError(
            f"{where} has {len(points[few])} points of {few}, but {len(every)} of others, so which "
            "are missing is not known. Measure each image once. Where points are missing, mark "
            "each with a Counter of its own (in the options of ImageJ's multi-point tool)."
        )
    warnings.warn(
        f"{where}: X and Y are taken for pixels from the top, as ImageJ writes them for images "
        "without a scale (Analyze > Set Scale) and without Invert Y.",
        LeftOutWarning,
        stacklevel=3,
    )
    none = {"X": "", "Y": ""}
    wide = [["file", *(f"{name}_{axis}" for name in every for axis in "xy")]]
    wide += [
        [file, *(of_image.get(name, none)[axis] for name in every for axis in "XY")]
        for file, of_image in points.items()
    ]
    places = [table.rows[0][0], *first.values()]
    return table._replace(rows=list(zip(places, wide, strict=True)))


def _files_and_rois(where: str, rows: list[dict[str, str]]) -> tuple[list[str], list[str]]:
    """The image and the ROI that each Label names, the latter empty where the user named none."""
    labels = [row["Label"].split(":") for row in rows]
    slices = [row.get("Slice", "") for row in rows]
    in_stack = all(slices) and all(len(label) > 1 for label in labels)
    files = [label[-1] if in_stack else label[0] for label in labels]
    if in_stack:
        of_slice = {(number, file) for number, file in zip(slices, files, strict=True)}
        if len(of_slice) > len(set(files)) or any(number == file for number, file in of_slice):
            raise InputError(
                f"{where} does not say which image each slice is ({rows[0]['Label']}). Open the "
                "images by File > Import > Image Sequence, and measure each slice by itself: "
                "ImageJ names the one that is shown."
            )
    rois = [label[1] if len(label) > 1 + in_stack else "" for label in labels]
    return files, ["" if OWN_NAME.fullmatch(roi) else roi for roi in rois]


def _names(files: list[str], rois: list[str], counters: list[str]) -> tuple[list[str], bool]:
    """The name of each point, and whether it is known by its order in the image alone."""
    for names in (rois, [f"landmark_{int(n) + 1}" if n.isdecimal() else "" for n in counters]):
        if all(names) and len(set(zip(files, names, strict=True))) == len(files):
            return names, False
    count, numbers = Counter(), []
    for file in files:
        count[file] += 1
        numbers.append(count[file])
    return [f"landmark_{number}" for number in numbers], True
