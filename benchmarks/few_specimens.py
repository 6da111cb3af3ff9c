"""How good are `swapmark fit` and its own estimate of the error with 5, 10, 20, 50 specimens?

For each number and draw, specimens are drawn from the `fit` images of ANNOTATED, the points are
fitted on them, and two errors are taken: the estimate that the user sees, from these specimens
alone, and the true error on all `test` images. Beside them the test error of the protocol `centred`
(ridge towards the mean shape) and of the mean shape, from the same specimens. A JSON line a draw
goes to OUT, a Markdown table to the screen.

    python benchmarks/few_specimens.py RUN ANNOTATED --out few.jsonl --draws 20
"""

import argparse
import json
from pathlib import Path

import numpy as np

import swapmark
from swapmark.data.annotations import annotated_items, read_annotations
from swapmark.evaluation.matching import Matched, PairedPoints, marked_rows, match
from swapmark.evaluation.metrics import mean_error, point_errors
from swapmark.evaluation.normaliser import choose_normaliser
from swapmark.evaluation.protocols import PROTOCOLS, predict_points
from swapmark.points.fit import fit_annotated
from swapmark.types import Annotations, Landmarks

COLUMNS = ("estimate", "test", "test_centred", "test_mean_shape")


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

    def centred(one: PairedPoints, other: PairedPoints) -> float:
        arguments = one.source, one.target, one.usable, one.sizes, other.source, other.sizes
        return error(predict_points(PROTOCOLS["centred"], *arguments))

    return {
        "estimate": fitted.error,
        "test": error(found),
        "test_centred": centred(chosen, test),
        "test_mean_shape": centred(chosen.without_source(), test.without_source()),
    }


def main() -> None:
    """Run all draws, write the lines, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
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
    print("| specimens | estimate | true error | `centred` | mean shape |\n|---|---|---|---|---|")
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
