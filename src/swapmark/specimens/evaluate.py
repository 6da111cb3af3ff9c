"""Score landmarks against annotated points: forward, backward, mean shape, few-shot.

Fit a linear map on the `fit` images and take its normalised mean error (NME) on the `test` images
(Zhang 2018, Jakab 2018): forward from landmarks to annotated points, backward the other way.
"""

import numpy as np

from swapmark.errors import InputError
from swapmark.specimens.matching import PairedPoints, match
from swapmark.specimens.metrics import (
    bootstrap_interval,
    mean_error,
    mean_error_of_points,
    point_errors,
)
from swapmark.specimens.normaliser import choose_normaliser
from swapmark.specimens.notes import write_notes
from swapmark.specimens.protocols import PROTOCOLS, Protocol, predict_points
from swapmark.specimens.result import Evaluation, FewShot, Score
from swapmark.types import Annotations, Landmarks

FEW_SHOT_SIZES = (1, 5, 10, 20, 50, 100)


def evaluate(
    landmarks: Landmarks,
    annotations: Annotations,
    *,
    normaliser: str | None = None,
    bootstrap: int = 1000,
    draws: int = 10,
    seed: int = 0,
) -> Evaluation:
    """Score `landmarks` against `annotations` of the same images, matched by file name.

    `normaliser` is 'NAME1,NAME2', 'box' or 'diagonal' (default: the eyes, else the diagonal);
    `bootstrap` the number of redrawn test sets behind each interval; `draws` the number of random
    choices of fit images at each point of the few-shot curve; `seed` fixes both.

    Raises InputError where a split is empty, names don't match, or nothing can be scored.

    >>> xy = np.random.default_rng(0).uniform(10, 50, (60, 2, 2))
    >>> files, splits = tuple(f"{i}.png" for i in range(60)), ("fit", "test") * 30
    >>> landmarks = Landmarks(xy, np.ones((60, 2)), files, np.full((60, 2), 64))
    >>> marked = Annotations(("snout", "tail"), files, splits, ("",) * 60, xy[:, ::-1] / 2 - 0.25)
    >>> result = evaluate(landmarks, marked, normaliser="snout,tail")
    >>> round(result.forward["imm"].nme, 6), result.mean_shape.nme > 20
    (0.0, True)
    """
    length = choose_normaliser(normaliser, annotations.names)
    matched = match(landmarks, annotations)
    fit = matched.fit
    lengths = length.lengths(matched.test.target, matched.test.sizes)
    test, lengths = matched.test.select(np.isfinite(lengths)), lengths[np.isfinite(lengths)]
    if not len(test):
        raise InputError(
            f"Errors cannot be measured in {length.words}: it is undefined or zero in all "
            f"{len(matched.test)} test images. Choose two points that are marked, or 'diagonal'."
        )

    def score(protocol: Protocol, fit: PairedPoints, test: PairedPoints, names) -> Score:
        errors = _errors(protocol, fit, test, lengths, fit.usable)
        return Score(
            nme=mean_error(errors),
            interval=bootstrap_interval(errors, test.groups, draws=bootstrap, seed=seed),
            per_point=dict(zip(names, mean_error_of_points(errors).tolist(), strict=True)),
        )

    forward = {
        name: score(protocol, fit, test, annotations.names) for name, protocol in PROTOCOLS.items()
    }
    backward = {
        name: score(protocol, fit.reversed(), test.reversed(), landmarks.names)
        for name, protocol in PROTOCOLS.items()
    }
    mean_shape = score(
        PROTOCOLS["centred"], fit.without_source(), test.without_source(), annotations.names
    )
    if not np.isfinite(forward["imm"].nme):
        raise InputError(
            "No point is marked both in a fit image and in a test image, so nothing can be "
            "scored. Mark the same points in images of both splits."
        )
    return Evaluation(
        forward=forward,
        backward=backward,
        mean_shape=mean_shape,
        few_shot=_few_shot(fit, test, lengths, draws=draws, seed=seed),
        normaliser=length.words,
        counts={
            "fit_images": len(fit),
            "fit_images_fully_marked": int(fit.usable.all(axis=1).sum()),
            "test_images": len(test),
            "test_images_fully_marked": int(test.usable.all(axis=1).sum()),
            "test_points_marked": int(test.usable.sum()),
            "test_images_without_normaliser": len(matched.test) - len(test),
            "images_without_landmarks": len(matched.missing),
            "images_without_marks": matched.unmarked,
        },
        missing=matched.missing,
        notes=write_notes(
            matched,
            test,
            landmarks.names,
            annotations.names,
            error=forward["imm"].nme,
            centred=forward["centred"].nme,
            mean_shape=mean_shape.nme,
            requested=normaliser,
        ),
        settings={"bootstrap": bootstrap, "draws": draws, "seed": seed},
    )


def _errors(
    protocol: Protocol,
    fit: PairedPoints,
    test: PairedPoints,
    lengths: np.ndarray,
    used: np.ndarray,
) -> np.ndarray:
    """Errors (T, P) in % on T test images, with the map fitted where `used` (N, P) is set."""
    predicted = predict_points(
        protocol, fit.source, fit.target, used, fit.sizes, test.source, test.sizes
    )
    return point_errors(predicted, test.target, lengths)


def _few_shot(
    fit: PairedPoints, test: PairedPoints, lengths: np.ndarray, *, draws: int, seed: int
) -> tuple[FewShot, ...]:
    """Forward errors by the number of marked examples; the smaller choices lie in the larger."""
    usable = fit.usable
    generator = np.random.default_rng(seed)
    orders = [generator.permutation(len(fit)) for _ in range(draws)]
    curve = []
    sizes = [size for size in FEW_SHOT_SIZES if size < len(fit) and draws > 0]
    for size in [*sizes, len(fit)]:
        choices = (
            [_first_marked(usable, order, size) for order in orders]
            if size < len(fit)
            else [usable]
        )
        errors = {
            name: [mean_error(_errors(protocol, fit, test, lengths, used)) for used in choices]
            for name, protocol in PROTOCOLS.items()
        }
        curve.append(
            FewShot(
                images=size,
                draws=len(choices),
                nme={name: float(np.mean(values)) for name, values in errors.items()},
                spread={
                    name: float(np.std(values, ddof=1)) if len(values) > 1 else np.nan
                    for name, values in errors.items()
                },
            )
        )
    return tuple(curve)


def _first_marked(usable: np.ndarray, order: np.ndarray, count: int) -> np.ndarray:
    """Of each column of `usable` (N, P), only the first `count` entries set, in `order` (N,)."""
    chosen = np.zeros_like(usable)
    chosen[order] = usable[order] & (np.cumsum(usable[order], axis=0) <= count)
    return chosen
