"""How sharp the average specimen is, and how much automatic points shrink the variance of shapes.

A JSON line for the pictures of ANNOTATED and the learned landmarks, with the sharpness of three
pictures around the mean shape: of the average of warped pictures, of the plain average, and of a
single picture (the median). Two usual measures: the variance of the Laplacian (Pech-Pacheco 2000)
and the mean length of the gradient, both of grey levels.

And a line a draw, for own points fitted to SPECIMENS pictures of the split `fit` and found in those
of `test`: the variance of their shapes (mean squared Procrustes distance) over that of the marks.
`slope` is that of the found shapes on the marked ones, 1 if each specimen departs from the mean as
far as its marks do; `correlation` that of the two.

    python benchmarks/shapes.py faces lfw.zip --out shapes.jsonl --folder averages
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from cyclopts import run

import swapmark
from harness.machine import append_line, circumstances
from swapmark.drawing.draw import save_image
from swapmark.points.annotated import read_annotated
from swapmark.points.average import Average, frame, warp_pictures
from swapmark.points.shapes import Shapes

SIZE = 256
MARGIN = 0.05
"""Around the points of the mean shape, in sides of the picture: there the sharpness is measured."""


def sharpness(picture: np.ndarray, region: tuple[slice, slice]) -> dict[str, float]:
    """Of a uint8 picture (H, W, 3) in a region."""
    grey = picture.astype(float).mean(axis=-1)
    down, right = np.gradient(grey)
    laplacian = sum(np.roll(grey, step, axis) for step in (1, -1) for axis in (0, 1)) - 4 * grey
    return {
        "laplacian": float(laplacian[region].var()),
        "gradient": float(np.hypot(down, right)[region].mean()),
    }


def averages(shapes: Shapes, images: list, folder: Path, name: str) -> dict:
    """Sharpness of the averages, written as pictures, and of the pictures, around the points."""
    average, plain, single = Average(SIZE), Average(SIZE), []
    assert shapes.points.sizes is not None
    grid = frame(shapes, shapes.points.sizes, SIZE)
    points = (shapes.mean - grid[0]) / (grid[-1] - grid[0]) * (SIZE - 1)
    low, high = points.min(axis=0) - MARGIN * SIZE, points.max(axis=0) + MARGIN * SIZE
    (left, top), (right, bottom) = np.clip([low, high], 0, SIZE).astype(int).tolist()
    region = (slice(top, bottom), slice(left, right))
    for specimen in warp_pictures(shapes, images, SIZE):
        average.add(specimen.warped, specimen.warped_inside)
        plain.add(specimen.picture, specimen.inside)
        single.append(sharpness(specimen.warped, region))
    pictures = {"average": average.picture(), "plain": plain.picture()}
    for kind, picture in pictures.items():
        save_image(picture, folder / f"{name}-{kind}.png")
    found = {kind: sharpness(picture, region) for kind, picture in pictures.items()}
    found["single"] = {key: float(np.median([one[key] for one in single])) for key in single[0]}
    found["ratio"] = {key: found["average"][key] / found["plain"][key] for key in single[0]}
    return {kind: {k: round(v, 4) for k, v in of.items()} for kind, of in found.items()}


def shrinkage(found: Shapes, marked: Shapes) -> dict:
    """How the shapes of found points differ from those of marks of the same specimens."""
    own, real = ((of.aligned - of.aligned.mean(axis=0)).ravel() for of in (found, marked))
    return {
        "variance_ratio": round(found.variance / marked.variance, 4),
        "slope": round(float(own @ real / (real @ real)), 4),
        "correlation": round(float(own @ real / np.sqrt((own @ own) * (real @ real))), 4),
    }


def main(
    model: str,
    annotated: Path,
    *,
    out: Path,
    folder: Path,
    specimens: int = 50,
    draws: int = 2,
    most: int = 400,
) -> None:
    """Write the lines to OUT and the averages, into FOLDER; of at most MOST pictures each."""
    detector, marked = swapmark.load(model), read_annotated(annotated)
    split = np.array(marked.points.split)
    whole = marked.points.marked.all(axis=1)
    about = {"run": Path(model).name, "annotated": annotated.name}

    order = np.random.default_rng(0).permutation(np.flatnonzero(split != "fit"))[:most]
    shapes = detector.predict([marked.items[row] for row in sorted(order)]).align()
    name = f"{Path(model).name}-{annotated.stem}"
    line = averages(shapes, [marked.items[row] for row in sorted(order)], folder, name)
    append_line(out, {**about, "pictures": len(shapes.points), **line, **circumstances()})
    print(about, line["ratio"], flush=True)

    fit, test = (np.flatnonzero((split == name) & whole) for name in ("fit", "test"))
    test = np.sort(np.random.default_rng(0).permutation(test)[:most])
    truth = marked.points.take(test)
    for draw in range(draws if specimens < len(fit) else min(draws, 1)):
        chosen = np.random.default_rng(draw).permutation(fit)[:specimens]
        with TemporaryDirectory() as temporary:
            table = Path(temporary) / "marks.csv"
            marked.points.take(chosen).save(table)
            own = detector.fit_points(table, annotated, draws=0)
        found = own.predict([marked.items[row] for row in test])
        assert found.files == truth.files
        line = shrinkage(found.align(), truth.align())
        line = {"specimens": len(chosen), "test": len(test), "draw": draw, **line}
        append_line(out, {**about, **line, **circumstances()})
        print(about, line, flush=True)


if __name__ == "__main__":
    run(main)
