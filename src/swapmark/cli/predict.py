"""`swapmark predict`."""

import sys
from pathlib import Path

from swapmark.cli.convert import Format


def predict(
    run: Path,
    images: str,
    *,
    out: Path = Path("points.csv"),
    format: Format | None = None,
    overwrite: bool = False,
    batch_size: int = 64,
    device: str | None = None,
    quiet: bool = False,
) -> None:
    """Find the learned landmarks in images and write them as a table.

    Parameters
    ----------
    run
        Run folder made by `swapmark train`, or a model folder, an .onnx file, the name of a
        built-in model, or OWNER/NAME of one on the Hugging Face hub.
    images
        Folder (walked), zip, tar or one picture file.
    out
        The table to write: a row an image, in pixels of the upright original image, (0, 0) being
        the centre of the top left pixel. Images that cannot be read are listed beside it, in
        NAME-skipped.csv.
    format
        By default from the ending of OUT: .csv is csv, .tps tps, .json coco, .txt morphoj,
        .parquet parquet. DeepLabCut's .csv must be named: dlc.
    overwrite
        Replace these files if they exist.
    batch_size
        Images at once.
    device
        cuda, mps or cpu; the best there is by default, the cpu for an .onnx file.
    quiet
        Show no progress.
    """
    from swapmark.data.cache import write_skipped
    from swapmark.formats.registry import format_to_write, write_points
    from swapmark.inference.load import load
    from swapmark.types import refuse_existing

    chosen = format_to_write(out, format)
    skipped = out.with_name(f"{out.stem}-skipped.csv")
    for path in (out, skipped):
        refuse_existing(path, overwrite=overwrite)
    detector = load(run, device=device)
    landmarks = detector.predict(images, batch_size=batch_size, progress=not quiet)
    if chosen == "csv":
        landmarks.to_csv(out, overwrite=overwrite)  # three decimals are enough for people
        lost = ()
    else:
        lost = write_points(landmarks, out, chosen, overwrite=overwrite)
    print(f"{len(landmarks)} images, {detector.landmarks} landmarks each: {out}")
    for what in lost:
        print(f"Not in {out.name}: {what}", file=sys.stderr)
    skipped.unlink(missing_ok=True)
    if landmarks.skipped:
        write_skipped(skipped, landmarks.skipped)
        count = len(landmarks.skipped)
        print(
            f"Skipped {count} of {count + len(landmarks)} images; reasons: {skipped}",
            file=sys.stderr,
        )
