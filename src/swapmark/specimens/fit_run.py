"""From a trained run and a few marked images to a point map in the run."""

import os
from pathlib import Path

from swapmark.drawing.overlay_sheet import check_sheet_place
from swapmark.errors import InputError
from swapmark.files import refuse_existing
from swapmark.predict.find import find_model
from swapmark.specimens.fit import fit_annotated, rows_to_fit
from swapmark.specimens.fit_result import PointFit
from swapmark.specimens.marked import place_of_images, read_marked
from swapmark.specimens.normaliser import choose_normaliser
from swapmark.specimens.point_map import model_fingerprint, point_map_path


def fit_run(
    run: str | os.PathLike,
    annotated: str | os.PathLike,
    name: str,
    *,
    images: str | os.PathLike | None = None,
    overlay: str | os.PathLike | None = None,
    normaliser: str | None = None,
    overwrite: bool = False,
    draws: int = 10,
    seed: int = 0,
    device: str | None = None,
    progress: bool = True,
) -> PointFit:
    """Fit the points marked in `annotated` to the landmarks of `run`; keep the map under `name`.

    `annotated` is a zip or folder with images and landmarks.csv, or a file of marked points in any
    format that `swapmark.read_points` knows, whose pictures lie beside it or in `images`, a folder
    or archive. Rows whose split is `fit` are used, never those of `test`; without splits, all. The
    map goes to RUN/points/NAME.json; then `swapmark.load(run).predict(photos, points=name)` gives
    the named points. `overlay` is a picture to be drawn of the marks and of what maps from the
    others make of them (see `PointFit.draw`). Other options as in `fit_annotated`.

    Raises InputError if one of these files exists and `overwrite` is not set, or `run` is an .onnx
    file or the name of a model, which have no folder for the map; before any work is done.

    >>> fit_run("runs/absent", "marked.zip", "eyes/left")
    Traceback (most recent call last):
    swapmark.errors.InputError: 'eyes/left' cannot name a point map: ...
    """
    from swapmark.predict.load import load

    folder = Path(run)
    refuse_existing(point_map_path(folder, name), overwrite=overwrite)
    if overlay is not None:
        pictures = place_of_images(Path(annotated).expanduser(), images)
        check_sheet_place(Path(overlay), pictures, overwrite=overwrite)
    where = "" if images is None else f" --images {images}"
    _require_folder(folder, f"{annotated}{where} --out {name}")
    detector = load(folder, device=device)
    annotations, items = read_marked(annotated, images)
    choose_normaliser(normaliser, annotations.names)
    wanted = [items[i] for i in rows_to_fit(annotations)]
    landmarks = detector.predict(wanted, progress=progress)
    fit = fit_annotated(
        landmarks,
        annotations,
        model=model_fingerprint(folder),
        normaliser=normaliser,
        draws=draws,
        seed=seed,
    )
    fit.save(folder, name, overwrite=overwrite)
    if overlay is not None:
        fit.draw(wanted, overlay, overwrite=overwrite)
    return fit


def _require_folder(run: Path, arguments: str) -> None:
    """Raise InputError if `run` is a model, but no folder in which a point map can be kept.

    `arguments` are those of `swapmark fit` after the run.
    """
    if find_model(run).is_file():
        raise InputError(
            f"{run} is an ONNX file, which has no folder to keep a point map in. Fit the run it "
            f"was exported from: swapmark fit RUN {arguments}"
        )
    if not run.is_dir():
        own = f"my-{run.name}"
        raise InputError(
            f"{run.as_posix()} is the name of a model, which has no folder here to keep a point "
            f"map in. Make one, then fit it: "
            f"swapmark export {run.as_posix()} --format hub --out {own} && "
            f"swapmark fit {own} {arguments}"
        )
