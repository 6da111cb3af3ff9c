"""How good are `swapmark fit` and its own estimate of the error with 5, 10, 20, 50 specimens?

For each number and draw, specimens are drawn from the `fit` images of ANNOTATED, the points are
fitted on them, and two errors are taken: the estimate that the user sees, from these specimens
alone, and the true error on all `test` images. Beside them, from the same specimens, the test error
of plain ridge towards the mean shape, its strength chosen by leave-one-out too, and of the mean
shape. A JSON line a draw goes to OUT, a Markdown table to the screen.

    python benchmarks/few_specimens.py RUN ANNOTATED --out few.jsonl --draws 20
"""

import argparse
import dataclasses
import json
from pathlib import Path

import numpy as np

import swapmark
from swapmark.points.annotations import annotated_items, read_annotations
from swapmark.specimens.fit import fit_annotated
from swapmark.specimens.matching import Matched, PairedPoints, marked_rows, match
from swapmark.specimens.metrics import mean_error, point_errors
from swapmark.specimens.normaliser import choose_normaliser
from swapmark.specimens.protocols import PROTOCOLS, predict_points
from swapmark.types import Annotations, Landmarks

PLAIN_RIDGES = [10.0**power for power in (2, 1.5, 1, 0.5, 0, -0.5, -1, -1.5, -2, -3, -4)]
COLUMNS = ("estimate", "test", "test_plain_ridge", "test_mean_shape")


def ridge_to_mean(fit: PairedPoints, new: PairedPoints, ridge: float = 1e-3) -> np.ndarray:
    """Points (T, P, 2) in `new` images by the protocol `centred` with another strength."""
    protocol = dataclasses.replace(PROTOCOLS["centred"], ridge=ridge)
    given = fit.source, fit.target, fit.usable, fit.sizes
    return predict_points(protocol, *given, new.source, new.sizes)


def plain_ridge(fit: PairedPoints) -> float:
    """The strength whose left-out errors, in units of the longer side, are the smallest."""
    rows, side = np.arange(len(fit)), fit.sizes.max(axis=1)[:, None]
    means = []
    for ridge in PLAIN_RIDGES:
        found = [
            ridge_to_mean(fit.select(rows != row), fit.select(rows == row), ridge)[0]
            for row in rows
        ]
        means.append(np.nanmean(np.linalg.norm(np.stack(found) - fit.target, axis=-1) / side))
    return PLAIN_RIDGES[int(np.argmin(means))]


def one_draw(matched: Matched, landmarks: Landmarks, marked: Annotations, size: int, seed: int):
    """Errors in %, by column, with `size` specimens drawn by `seed`."""
    fit, test = matched.fit, matched.test
    rows = np.random.default_rng(seed).permutation(len(fit))[:size]
    chosen = fit.select(np.isin(np.arange(len(fit)), rows))
    names = tuple(f"{i}.png" for i in range(size))
    fitted = fit_annotated(
        Landmarks(chosen.source, np.ones(chosen.source.shape[:2]), names, chosen.sizes),
        Annotations(marked.names, names, ("fit",) * size, chosen.groups, chosen.target),
        draws=0,
    )
    seen = Landmarks(test.source, np.ones(test.source.shape[:2]), ("",) * len(test), test.sizes)
    found = np.full(test.target.shape, np.nan)
    found[:, [marked.names.index(name) for name in fitted.map.names]] = fitted.map.apply(seen).xy
    lengths = choose_normaliser(None, marked.names).lengths(test.target, test.sizes)

    def error(predicted: np.ndarray) -> float:
        return mean_error(point_errors(predicted, test.target, lengths))

    return {
        "estimate": fitted.error,
        "test": error(found),
        "test_plain_ridge": error(ridge_to_mean(chosen, test, plain_ridge(chosen))),
        "test_mean_shape": error(ridge_to_mean(chosen.without_source(), test.without_source())),
    }


def main() -> None:
    """Run all draws, write the lines, print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("annotated", type=Path)
    parser.add_argument("--out", type=Path, default=Path("few_specimens.jsonl"))
    parser.add_argument("--sizes", type=int, nargs="+", default=[5, 10, 20, 50])
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="draw i has seed SEED + i")
    options = parser.parse_args()
    marked = read_annotations(options.annotated)
    items = annotated_items(options.annotated, marked)
    landmarks = swapmark.load(options.run).predict(
        [items[i] for i in marked_rows(marked)], progress=True
    )
    matched = match(landmarks, marked)
    print("| specimens | estimate | true error | plain ridge | mean shape |\n|---|---|---|---|---|")
    with options.out.open("w", encoding="utf-8") as file:
        for size in options.sizes:
            rows = []
            for draw in range(options.draws):
                seed = options.seed + draw
                row = one_draw(matched, landmarks, marked, size, seed)
                rows.append([row[column] for column in COLUMNS])
                line = {"specimens": size, "seed": seed, "run": options.run.name}
                line |= {"annotated": options.annotated.name}
                line |= {name: round(value, 4) for name, value in row.items()}
                file.write(json.dumps(line) + "\n")
            means, spreads = np.mean(rows, axis=0), np.std(rows, axis=0, ddof=1)
            cells = [f"{m:.1f} ± {s:.1f}" for m, s in zip(means, spreads, strict=True)]
            print(f"| {size} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
