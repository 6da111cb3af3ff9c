"""The length that an image's error is measured in: two marked points, a box, or the diagonal."""

import difflib
from dataclasses import dataclass

import numpy as np

from swapmark.errors import InputError

EYES = ("left_eye", "right_eye")
"""The points whose distance is the default normaliser."""


@dataclass(frozen=True)
class Normaliser:
    """A chosen length; `points` are the indices of two marked points, if it is their distance."""

    kind: str
    """`points`, `box` or `diagonal`."""
    words: str
    """What it is, for the table and metrics.json."""
    points: tuple[int, int] | None = None

    def lengths(self, annotated: np.ndarray, sizes: np.ndarray) -> np.ndarray:
        """The length (N,) in pixels, given marked points (N, P, 2) and sizes (N, 2).

        NaN where it is undefined or zero: no point marked, one of the two missing, a flat box.
        """
        if self.points is not None:
            first, second = self.points
            length = np.linalg.norm(annotated[:, first] - annotated[:, second], axis=-1)
        elif self.kind == "box":
            marked = np.isfinite(annotated).all(axis=-1, keepdims=True)
            low = np.where(marked, annotated, np.inf).min(axis=1)
            high = np.where(marked, annotated, -np.inf).max(axis=1)
            length = np.sqrt(np.prod(np.maximum(high - low, 0.0), axis=-1))
        else:
            length = np.linalg.norm(sizes.astype(float), axis=-1)
        return np.where(length > 0, length, np.nan)


def choose_normaliser(requested: str | None, names: tuple[str, ...]) -> Normaliser:
    """The normaliser that `requested` means for marked points called `names`.

    `requested` is 'NAME1,NAME2', 'box' or 'diagonal'; None takes the distance between left_eye
    and right_eye where both are marked, else the diagonal. Raises InputError for anything else.

    >>> choose_normaliser("snout,tail", ("snout", "ear", "tail")).words
    'the distance between snout and tail'
    >>> choose_normaliser(None, ("snout", "tail")).kind
    'diagonal'
    """
    if requested is None:
        requested = ",".join(EYES) if set(EYES) <= set(names) else "diagonal"
    if requested == "box":
        words = "the square root of the area of the box around the marked points"
        return Normaliser("box", words)
    if requested == "diagonal":
        return Normaliser("diagonal", "the diagonal of the image")
    parts = [part.strip() for part in requested.split(",")]
    for part in parts:
        if part not in names:
            nearest = difflib.get_close_matches(part, [*names, "box", "diagonal"], n=1)
            hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
            raise InputError(
                f"Normaliser {requested!r}: there is no marked point called {part!r}.{hint} "
                f"Expected two of these names with a comma between them: {', '.join(names)}; "
                f"or 'box', or 'diagonal'."
            )
    if len(set(parts)) != 2 or len(parts) != 2:
        raise InputError(
            f"Normaliser {requested!r} must name two different points with a comma between them, "
            f"such as '{','.join(names[:2])}'; or be 'box' or 'diagonal'."
        )
    first, second = parts
    return Normaliser(
        "points",
        f"the distance between {first} and {second}",
        (names.index(first), names.index(second)),
    )
