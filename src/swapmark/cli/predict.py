"""`swapmark predict`."""

import sys
from pathlib import Path


def predict(
    run: Path,
    images: str,
    *,
    out: Path = Path("points.csv"),
    points: str | None = None,
    overwrite: bool = False,
    batch_size: int = 64,
    device: str | None = None,
    quiet: bool = False,
) -> None:
    """Find the learned landmarks in images and write them as a table.

    Parameters
    ----------
    run
        Run folder made by `swapmark train`.
    images
        Folder (walked), zip, tar or one picture file.
    out
        The CSV to write: a row an image, in pixels of the upright original image, (0, 0) being the
        centre of the top left pixel. Images that cannot be read are listed beside it, in
        NAME-skipped.csv.
    points
        Write the named points of this point map of the run, made by `swapmark fit`, in place of
        the landmarks.
    overwrite
        Replace these files if they exist.
    batch_size
        Images at once.
    device
        cuda, mps or cpu; the best there is by default.
    quiet
        Show no progress.
    """
    from swapmark.data.cache import write_skipped
    from swapmark.inference.detector import load
    from swapmark.types import refuse_existing

    skipped = out.with_name(f"{out.stem}-skipped.csv")
    for path in (out, skipped):
        refuse_existing(path, overwrite=overwrite)
    detector = load(run, device=device)
    landmarks = detector.predict(images, batch_size=batch_size, progress=not quiet, points=points)
    landmarks.to_csv(out, overwrite=overwrite)
    kind = "points" if points else "landmarks"
    print(f"{len(landmarks)} images, {len(landmarks.names)} {kind} each: {out}")
    skipped.unlink(missing_ok=True)
    if landmarks.skipped:
        write_skipped(skipped, landmarks.skipped)
        count = len(landmarks.skipped)
        print(
            f"Skipped {count} of {count + len(landmarks)} images; reasons: {skipped}",
            file=sys.stderr,
        )
