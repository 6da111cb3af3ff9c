"""`swapmark fit`: from landmarks to the points that a user marked in a few images."""

from pathlib import Path


def fit(
    run: Path,
    annotated: Path,
    *,
    out: str,
    images: Path | None = None,
    overlay: Path | None = None,
    normaliser: str | None = None,
    overwrite: bool = False,
    draws: int = 10,
    seed: int = 0,
    device: str | None = None,
    quiet: bool = False,
) -> None:
    """Fit your own points, marked in a few images, to the learned landmarks.

    `swapmark predict RUN IMAGES --points NAME` then writes these points. Rows whose split is fit
    are used, all rows where there is no split. Prints the error to expect on new images, and
    whether marking more would help.

    Parameters
    ----------
    run
        Run folder, or model folder: that of a built-in model is made by
        `swapmark export NAME --format hub --out FOLDER`.
    annotated
        A zip or folder with images and landmarks.csv, or a file of marked points in any format that
        swapmark convert reads (CSV, TPS, DeepLabCut, COCO, MorphoJ, Parquet); which one, its ending
        and content tell.
    out
        The name of the point map; it becomes RUN/points/NAME.json, which also holds all numbers.
    images
        Folder or archive with the pictures, where they do not lie beside the file ANNOTATED.
    overlay
        A picture (.png, .jpg, .webp, .tif, .bmp) to draw your marks into, as white crosses, and
        where maps from the other specimens put the points: up to 36 specimens, the largest errors
        first.
    normaliser
        What errors are measured in: two marked points as NAME1,NAME2, or box, or diagonal.
        Default: left_eye,right_eye if both are marked, else diagonal.
    overwrite
        Replace the point map if it is there.
    draws
        How many random choices of specimens each row of the learning curve averages.
    seed
        Their seed.
    device
        cuda, mps or cpu; the best there is by default.
    quiet
        Show no progress.
    """
    import shlex
    import sys

    from rich.console import Console

    import swapmark
    from swapmark.specimens.point_map import point_map_path

    result = swapmark.fit(
        run,
        annotated,
        out,
        images=images,
        overlay=overlay,
        normaliser=normaliser,
        overwrite=overwrite,
        draws=draws,
        seed=seed,
        device=device,
        progress=not quiet,
    )
    Console().print(result.table())
    for entry in result.skipped:
        print(f"Skipped {entry.file}: {entry.reason}", file=sys.stderr)
    if overlay:
        print(f"Drawn: {overlay}")
    print(f"Written to {point_map_path(run, out)}. Next:")
    command = shlex.join(["swapmark", "predict", str(run)])
    print(f"  {command} IMAGES --points {shlex.quote(out)} --out {shlex.quote(f'{out}.csv')}")
