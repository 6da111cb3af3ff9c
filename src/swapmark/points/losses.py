"""What a format cannot hold, in words."""

from dataclasses import replace

from swapmark.points.table import default_names
from swapmark.types import PointTable

WORDS = {
    "confidence": "the confidence of the points",
    "sizes": "width and height of the images",
    "splits": "the splits",
    "groups": "the groups",
    "scales": "the scale",
    "frames": "the frame numbers",
    "times": "the times",
}


def losses(table: PointTable, *, held: tuple[str, ...]) -> tuple[str, ...]:
    """What the table knows besides the points, but a format that keeps `held` does not.

    `held` are fields of PointTable, and "names" where the points keep their names.

    >>> import numpy as np
    >>> losses(PointTable(("nose",), ("a.png",), np.zeros((1, 1, 2)), groups=("p",)), held=())
    ('the names of the points (they become landmark_1 and so on)', 'the groups')
    """
    found = [
        words
        for field, words in WORDS.items()
        if getattr(table, field) is not None and field not in held
    ]
    if "names" not in held and table.names != default_names(len(table.names)):
        found.insert(0, "the names of the points (they become landmark_1 and so on)")
    return tuple(found)


def frames_as_names(table: PointTable) -> PointTable:
    """The table with the number of a frame in the name of its image, for formats of still images.

    >>> import numpy as np
    >>> still = PointTable(("a",), ("v.mp4",), np.zeros((1, 1, 2)), frames=np.array([7]))
    >>> frames_as_names(still).files
    ('v.mp4#7',)
    """
    if table.frames is None:
        return table
    names = zip(table.files, table.frames, strict=True)
    return replace(table, files=tuple(f"{file}#{int(frame)}" for file, frame in names))
