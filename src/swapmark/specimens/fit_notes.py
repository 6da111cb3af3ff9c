"""What the user should know about a fit before trusting it, in words."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from swapmark.errors import counted
from swapmark.specimens.notes import about_mean_shape

if TYPE_CHECKING:
    from swapmark.specimens.fit_result import PointFit

FALL = 0.05
"""A fall of the error by more than this share, on doubling the specimens, is worth marking for."""
ROUGH = 10
"""With fewer specimens the estimate of the error is rough."""


def write_warnings(
    fit: "PointFit", *, never: Sequence[str] = (), one_group: bool = False
) -> tuple[str, ...]:
    """Sentences about too few specimens, a curve that falls, useless landmarks, lost images."""
    return (*_about_number(fit, one_group), *_about_error(fit), *_about_left_out(fit, never))


def _about_number(fit: "PointFit", one_group: bool) -> list[str]:
    found = []
    needed = 2 * fit.map.landmarks
    if fit.specimens == 1:
        found.append(
            "One specimen cannot be left out, so there is no estimate of the error. Each point "
            "keeps its place among the landmarks. Mark at least 5."
        )
    elif fit.specimens < ROUGH:
        found.append(
            f"{fit.specimens} specimens: the estimate of the error is rough itself, as it averages "
            f"few images. Mark at least {ROUGH}."
        )
    if 1 < fit.specimens < needed:
        found.append(
            f"{fit.specimens} specimens are fewer than the {needed} that determine a map from "
            f"{needed // 2} landmarks; it leans on each point's place among the landmarks."
        )
    few = [name for name, count in fit.marked.items() if count < min(5, fit.specimens)]
    if few:
        found.append(f"Marked in fewer than 5 specimens: {_some(few)}. Mark these points more.")
    if one_group:
        found.append(
            "All specimens belong to one group (person, recording). Each was left out alone, so "
            "the estimate says nothing of another group; expect more there."
        )
    return found


def _about_error(fit: "PointFit") -> list[str]:
    found = []
    last = fit.curve[-1] if fit.curve else None
    if last and math.isfinite(fit.error) and fit.error < (1 - FALL) * last.error:
        fall = 100 * (1 - fit.error / last.error)
        found.append(
            f"The error still falls by about {fall:.0f} % from {last.specimens} to {fit.specimens} "
            f"specimens: mark more."
        )
    return found + about_mean_shape(fit.error, fit.mean_shape)


def _about_left_out(fit: "PointFit", never: Sequence[str]) -> list[str]:
    found = []
    if never:
        found.append(f"Marked in no specimen that was used, so not in the map: {_some(never)}.")
    if fit.missing:
        found.append(
            f"{counted(len(fit.missing), 'marked image')} could not be found or read: "
            f"{_some(fit.missing)}."
        )
    if fit.other_rows:
        reasons = {
            "of another split than fit": fit.other_rows - fit.unmarked,
            "in which nothing is marked": fit.unmarked,
        }
        rows = [f"{counted(count, 'row')} {why}" for why, count in reasons.items() if count]
        found.append(f"Not used: {', '.join(rows)}.")
    return found


def _some(names: Sequence[str], limit: int = 5) -> str:
    return ", ".join(names[:limit]) + (", …" if len(names) > limit else "")
