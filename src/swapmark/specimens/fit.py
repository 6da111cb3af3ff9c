"""Fit a user's points to landmarks of the same images, and say how well that went."""

import numpy as np

from swapmark.coordinates import to_pixels, to_relative
from swapmark.errors import InputError
from swapmark.specimens.curve import learning_curve
from swapmark.specimens.estimate import fit_chosen, number_clusters, predict_left_out
from swapmark.specimens.fit_notes import write_warnings
from swapmark.specimens.fit_result import PointFit
from swapmark.specimens.matching import is_marked, match_names
from swapmark.specimens.metrics import mean_error, mean_error_of_points, point_errors
from swapmark.specimens.normaliser import choose_normaliser
from swapmark.specimens.outside import note_outside
from swapmark.specimens.point_map import PointMap
from swapmark.types import Annotations, Landmarks


def fit_annotated(
    landmarks: Landmarks,
    annotations: Annotations,
    *,
    model: str = "",
    normaliser: str | None = None,
    draws: int = 10,
    seed: int = 0,
) -> PointFit:
    """Fit the map from `landmarks` to the `fit` rows of `annotations`, and estimate its error.

    Images are matched by name; points that are not marked are left out one by one. `model` is the
    fingerprint of the model that found the landmarks; `normaliser`, `draws` and `seed` as in
    `swapmark.evaluate`, for the learning curve. Raises InputError if no `fit` image has both a mark
    and landmarks, or landmarks are not finite.

    >>> xy = np.random.default_rng(0).uniform(10, 50, (20, 3, 2))
    >>> files = tuple(f"{i}.png" for i in range(20))
    >>> landmarks = Landmarks(xy, np.ones((20, 3)), files, np.full((20, 2), 64))
    >>> middle = xy.mean(axis=1, keepdims=True)
    >>> marked = Annotations(("middle",), files, ("fit",) * 20, ("",) * 20, middle)
    >>> round(fit_annotated(landmarks, marked, draws=1).error, 3)
    0.0
    """
    length = choose_normaliser(normaliser, annotations.names)
    usable = [i for i in rows_to_fit(annotations) if np.any(is_marked(annotations.xy[i]))]
    row_of_file = match_names(landmarks.paths, [annotations.files[i] for i in usable])
    rows = [i for i in usable if annotations.files[i] in row_of_file]
    if not rows:
        raise InputError(
            f"None of the {len(usable)} marked images has landmarks: the first is called "
            f"{annotations.files[usable[0]]!r}, the first image with landmarks "
            f"{landmarks.paths[0] if len(landmarks) else 'none'!r}."
        )
    found = [row_of_file[annotations.files[i]] for i in rows]
    xy, sizes = landmarks.xy[found].astype(float), landmarks.sizes[found].astype(float)
    if not np.isfinite(xy).all():
        raise InputError(
            "Some landmarks are not finite numbers, so nothing can be fitted to them. A model that "
            "diverged has to be trained again."
        )
    marks = annotations.xy[rows].astype(float)
    kept = np.any(is_marked(marks), axis=0)
    names = tuple(name for name, keep in zip(annotations.names, kept, strict=True) if keep)
    used = is_marked(marks[:, kept])
    groups = tuple(annotations.groups[i] for i in rows)
    clusters = number_clusters(groups)
    one_group = len(rows) > 1 and len(set(clusters.tolist())) == 1
    if one_group:
        clusters = np.arange(len(rows))

    given, target = to_relative(xy, sizes, "centre"), to_relative(marks[:, kept], sizes, "centre")
    side = sizes.max(axis=1)
    lengths = length.lengths(marks, sizes)
    fitted, strength = fit_chosen(given, target, used, clusters)
    left_out = predict_left_out(given, target, used, clusters)
    errors, mean_errors = (
        point_errors(predicted, target, lengths / side)
        for predicted in (left_out.points, left_out.mean_shape)
    )
    pixels = np.linalg.norm(left_out.points - target, axis=-1) * side[:, None]
    result = PointFit(
        map=PointMap(names, fitted.weights, fitted.offset, model),
        strength=strength,
        error=mean_error(errors),
        mean_shape=mean_error(mean_errors),
        pixels=mean_error(pixels),
        per_point=dict(zip(names, mean_error_of_points(errors).tolist(), strict=True)),
        per_point_pixels=dict(zip(names, mean_error_of_points(pixels).tolist(), strict=True)),
        marked=dict(zip(names, used.sum(axis=0).tolist(), strict=True)),
        curve=learning_curve(given, target, used, clusters, lengths / side, draws=draws, seed=seed),
        normaliser=length.words,
        specimens=len(rows),
        groups=0 if one_group else len({*groups} - {""}),
        parts=left_out.parts,
        missing=tuple(
            annotations.files[i] for i in usable if annotations.files[i] not in row_of_file
        ),
        skipped=landmarks.skipped,
        other_rows=len(annotations) - len(usable),
        unmarked=annotations.splits.count("fit") - len(usable),
        draws=draws,
        seed=seed,
        left_out=Landmarks(
            to_pixels(left_out.points, sizes, "centre"),
            np.ones(used.shape),
            tuple(landmarks.paths[row] for row in found),
            landmarks.sizes[found],
            names=names,
        ),
        marks=marks[:, kept],
    )
    never = [name for name, keep in zip(annotations.names, kept, strict=True) if not keep]
    outside = note_outside(marks, sizes, [annotations.files[i] for i in rows], annotations.names)
    warnings = write_warnings(result, never=never, one_group=one_group)
    return result.with_warnings((*outside, *warnings))


def rows_to_fit(annotations: Annotations) -> list[int]:
    """Indices of the `fit` images with a marked point; InputError if there is none.

    >>> xy = np.ones((2, 1, 2))
    >>> rows_to_fit(Annotations(("nose",), ("a.png", "b.png"), ("test", "fit"), ("", ""), xy))
    [1]
    """
    marked = np.any(is_marked(annotations.xy), axis=1)
    rows = [i for i, split in enumerate(annotations.splits) if split == "fit" and marked[i]]
    if not rows:
        if "fit" in annotations.splits:
            raise InputError(
                f"No point is marked in any of the {annotations.splits.count('fit')} images whose "
                "split is 'fit', which is what points are fitted on. Mark some."
            )
        count = {split: annotations.splits.count(split) for split in set(annotations.splits)}
        there = ", ".join(f"{number} {split!r}" for split, number in sorted(count.items()))
        raise InputError(
            f"No image has split 'fit', which is what points are fitted on; "
            f"there are {there or 'no rows'}. Set the column split to fit in the rows to use."
        )
    return rows
