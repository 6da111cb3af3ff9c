"""`swapmark predict`."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from swapmark.data.items import Skipped

from swapmark.cli.convert import Format


def predict(
    run: Path,
    images: str,
    *,
    out: Path = Path("points.csv"),
    format: Format | None = None,
    points: str | None = None,
    overlay: Path | None = None,
    every: int = 1,
    start: float | None = None,
    stop: float | None = None,
    frame_rate: float | None = None,
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
        built-in model (faces), or OWNER/NAME of one on the Hugging Face hub.
    images
        Folder (with its subfolders), zip, tar, one picture file, or a video.
    out
        The table to write: a row an image, in pixels of the upright original image, (0, 0) being
        the centre of the top left pixel. Images that cannot be read are listed beside it, in
        points-skipped.csv (points.tps-skipped.csv for points.tps). Of a video: a row a frame, with
        its number and its time in seconds.
    format
        By default from the ending of OUT: .csv is csv, .tps tps, .json coco, .txt morphoj,
        .parquet parquet. DeepLabCut's .csv must be named: dlc.
    points
        Write the named points of this point map of the run, made by `swapmark fit`, in place of
        the landmarks.
    overlay
        Of pictures: a sheet (.png, .jpg) of up to 36 of them with the landmarks drawn. Of a video:
        another video (.mp4, .mov, .mkv) with the landmarks drawn on its frames.
    every
        Of a video: use each n-th frame.
    start
        Of a video: use the frames from this second on.
    stop
        Of a video: use the frames before this second.
    frame_rate
        Take the pictures of a folder, zip or tar as the frames of a video, so many a second.
    overwrite
        Replace these files if they exist.
    batch_size
        Images at once.
    device
        cuda, mps or cpu; the best there is by default, the cpu for an .onnx file.
    quiet
        Show no progress.
    """
    from swapmark.data.items import is_video_name
    from swapmark.drawing.overlay_sheet import check_sheet_place, draw_sheet
    from swapmark.errors import InputError, SwapmarkError, counted
    from swapmark.files import refuse_existing
    from swapmark.points.formats import format_to_write, write_points
    from swapmark.predict.load import load
    from swapmark.predict.video import predict_video
    from swapmark.types import refuse_one_place

    as_video = frame_rate is not None or is_video_name(images)
    if not as_video and (every, start, stop) != (1, None, None):
        raise InputError(
            f"--every, --start and --stop are for videos; {images} is none. "
            f"If it holds the frames of one, add their rate: --frame-rate 25"
        )
    if overlay and not as_video:
        if is_video_name(overlay.name):
            raise InputError(
                f"--overlay {overlay} is a video, but {images} is none. Name a sheet of pictures, "
                f"such as {overlay.with_suffix('.png')}. If {images} holds the frames of a video, "
                f"add their rate: --frame-rate 25"
            )
        refuse_one_place(out, overlay)
        check_sheet_place(overlay, images, overwrite=overwrite)
    chosen = format_to_write(out, format)
    if as_video and chosen != "csv":
        raise InputError(
            f"The points of a video are written as csv, not as {chosen}. Use another --out, such "
            f"as frames.csv, then turn that: swapmark convert frames.csv {out} --to {chosen}"
        )
    # Each table has its own list: points.csv and points.tps may lie side by side.
    stem = out.stem if out.suffix == ".csv" else out.name
    skipped_table = out.with_name(f"{stem}-skipped.csv")
    for path in (out, skipped_table, *([overlay] if overlay else [])):
        refuse_existing(path, overwrite=overwrite)
    detector = load(run, device=device)
    kind = "point" if points else "landmark"
    if as_video:
        found = predict_video(
            detector,
            images,
            out,
            frame_rate=frame_rate,
            overlay=overlay,
            overwrite=overwrite,
            batch_size=batch_size,
            every=every,
            start=start,
            stop=stop,
            points=points,
            progress=not quiet,
        )
        each = f"{counted(len(found.names), kind)} each"
        drawn = f"; drawn: {overlay}" if overlay else ""
        print(f"{counted(found.frames, 'frame')}, {each}: {out}{drawn}")
        _list_skipped(skipped_table, found.skipped, "Not everything could be read; what, and why")
        return
    landmarks = detector.predict(images, batch_size=batch_size, progress=not quiet, points=points)
    lost = ()
    if chosen == "csv":
        landmarks.to_csv(out, overwrite=overwrite)  # three decimals are enough for people
    else:
        try:
            lost = write_points(landmarks, out, chosen, overwrite=overwrite)
        except InputError as error:  # an hour's work is not thrown away for an odd name
            kept = landmarks.to_csv(out.with_name(f"{out.name}.csv"), overwrite=overwrite)
            raise InputError(f"{error} The points are kept in {kept}.") from error
    each = f"{counted(len(landmarks.names), kind)} each"
    print(f"{counted(len(landmarks), 'image')}, {each}: {out}")
    for what in lost:
        print(f"Not in {out.name}: {what}", file=sys.stderr)
    count = len(landmarks.skipped)
    words = f"Skipped {count} of {counted(count + len(landmarks), 'image')}; reasons"
    _list_skipped(skipped_table, landmarks.skipped, words)
    if overlay:
        try:
            draw_sheet(landmarks, images, overlay, overwrite=overwrite)
        except SwapmarkError as error:
            raise InputError(
                f"The sheet was not drawn: {error} The points are in {out}; for a sheet, run this "
                f"again with another --overlay, and --overwrite."
            ) from error
        print(f"Drawn: {overlay}")


def _list_skipped(path: Path, skipped: "Sequence[Skipped]", words: str) -> None:
    """Write what was skipped beside the table and say so; nothing where all could be read."""
    from swapmark.data.cache import write_skipped

    path.unlink(missing_ok=True)
    if skipped:
        write_skipped(path, skipped)
        print(f"{words}: {path}", file=sys.stderr)
