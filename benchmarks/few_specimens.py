"""How good is the error that `fit_points` expects, with 5, 10, 20, 50 specimens?

For each number and draw, specimens are drawn from the `fit` images of ANNOTATED and the points are
fitted on them. Three errors in %: the one that the user is told, from these specimens alone; the
true one, on all `test` images; and that of the specimens' mean shape there. A JSON line a draw.

    python benchmarks/few_specimens.py faces lfw.zip --out few.jsonl --draws 20
"""

from pathlib import Path

import numpy as np
from cyclopts import run

import swapmark
from harness.machine import append_line, circumstances
from swapmark.points.annotated import read_annotated
from swapmark.specimens.fit import fit_points
from swapmark.specimens.metrics import choose_normaliser, mean_error, point_errors


def main(
    model: str,
    annotated: Path,
    *,
    out: Path,
    sizes: tuple[int, ...] = (5, 10, 20, 50),
    draws: int = 20,
    seed: int = 0,
) -> None:
    """Run all draws, the i-th with `seed` + i, and print the means."""
    marked = read_annotated(annotated)
    found, marks = swapmark.load(model).predict(marked.items), marked.points
    fit, test = (np.flatnonzero(np.array(marks.split) == split) for split in ("fit", "test"))
    normaliser = choose_normaliser(None, marks.names)
    assert found.sizes is not None
    lengths = normaliser.lengths(marks.xy[test], found.sizes[test])
    for size in sizes:
        rows = []
        for draw in range(seed, seed + draws):
            chosen = np.random.default_rng(draw).permutation(fit)[:size]
            fitted = fit_points(found.take(chosen), marks.take(chosen), draws=0)
            kept = [marks.names.index(name) for name in fitted.map.names]
            true = marks.xy[test][:, kept]
            mean_shape = np.nanmean(marks.xy[chosen][:, kept], axis=0)
            row = {"estimate": fitted.error}
            for name, xy in (
                ("test", fitted.map.apply(found.take(test)).xy),
                ("test_mean_shape", np.broadcast_to(mean_shape, true.shape)),
            ):
                row[name] = round(mean_error(point_errors(xy, true, lengths)), 4)
            line = {"run": model, "annotated": annotated.name, "specimens": size, "seed": draw}
            append_line(out, {**line, **row, **circumstances()})
            rows.append(row)
        means = {name: f"{np.mean([row[name] for row in rows]):.1f} %" for name in rows[0]}
        print(f"{size} specimens: {means}", flush=True)


if __name__ == "__main__":
    run(main)
