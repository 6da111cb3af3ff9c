"""The command `swapmark`: a verb parses its words, makes public Python calls, and prints.

What is slow to import (torch) is imported inside the verbs, so that `--help` answers at once.
"""

import io
import os
import re
import shlex
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, CycloptsError, Parameter

from swapmark import __version__
from swapmark.errors import InputError, LeftOutWarning, SwapmarkError, one_line, shown
from swapmark.files import local_path

if TYPE_CHECKING:
    from swapmark.detector import Detector
    from swapmark.predict.parts import PartsMade

USAGE_ERROR = 2
INTERRUPTED = 130
BROKEN_PIPE = 141

app = App(
    name="swapmark",
    help="Learn landmarks from unlabelled images by swapping appearance and pose between them.",
    version=__version__,
    suppress_keyboard_interrupt=False,
    result_action="return_none",
    default_parameter=Parameter(
        negative="", show_default=lambda value: None if value is False else value
    ),
)


Model = Annotated[
    str,
    Parameter(
        help="A run folder made by `swapmark train`, a model folder, an .onnx file, the built-in "
        "model `faces`, or OWNER/NAME of a model on the Hugging Face hub."
    ),
]
Folder = Annotated[str, Parameter(help="A run folder made by `swapmark train`, or a model folder.")]
Marked = Annotated[
    Path,
    Parameter(
        help="A zip or folder with images and marks.csv, or a table of marked points (CSV, TPS, "
        "DeepLabCut, COCO, Parquet). The format is detected automatically."
    ),
]
Beside = Annotated[
    Path | None,
    Parameter(help="Folder or archive of the images, if they are not beside the table."),
]
Normaliser = Annotated[
    str | None,
    Parameter(
        help="What errors are measured in: two marked points as NAME1,NAME2, or box, or diagonal. "
        "Default: left_eye,right_eye if both are marked, else diagonal."
    ),
]
SEED = Parameter(help="The same seed gives the same result.")
Device = Annotated[
    str | None,
    Parameter(help="cuda, mps or cpu. Default: the best there is; an .onnx file takes the CPU."),
]
Overwrite = Annotated[bool, Parameter(help="Replace what exists.")]
Quiet = Annotated[bool, Parameter(help="Show no progress.")]
Safe = Annotated[
    bool,
    Parameter(
        help="For a CSV that is opened as a spreadsheet: put an apostrophe before names that begin "
        "with = + - or @, which may be formulas."
    ),
]


def _check_here(_: object, path: Path | str | None) -> None:
    if path is not None:
        local_path(path)


OUT = Parameter(alias="-o", validator=_check_here)
Format = Literal["csv", "tps", "dlc", "coco", "parquet"]


@app.command(sort_key=0)
def demo(
    *,
    out: Annotated[Path, OUT] = Path("demo"),
    count: int = 4000,
    steps: int | None = None,
    seed: Annotated[int, SEED] = 0,
    device: Device = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Draw faces, learn their landmarks, evaluate them: minutes on a laptop.

    For example:

        swapmark demo
        swapmark demo --out small --count 500 --steps 100

    Args:
        out: Folder for the faces, the run and the pictures.
        count: How many faces to draw.
        steps: Training steps. Default: those of the preset `demo`.
    """
    from swapmark.demo import demo as run_demo

    made = run_demo(
        out,
        count=count,
        steps=steps,
        seed=seed,
        device=device,
        overwrite=overwrite,
        progress=not quiet,
    )
    made.evaluation.print()
    print(made.verdict)
    print(f"Landmarks on faces kept apart: {made.picture}")
    print(f"What was learned:              {made.report}")
    print(f"All numbers:                   {made.metrics}")


@app.command(sort_key=1)
def train(
    images: list[str],
    /,
    *,
    out: Annotated[Path, OUT],
    landmarks: int | None = None,
    preset: str | None = None,
    method: Literal["c3", "imm"] | None = None,
    steps: int | None = None,
    seed: Annotated[int | None, SEED] = None,
    config: Path | None = None,
    set: list[str] | None = None,
    device: Device = None,
    devices: int = 1,
    resume: bool = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Learn landmarks from a folder or archive of images, without annotation.

    For example:

        swapmark train photos/ --out runs/first
        swapmark train photos.zip --out runs/many --landmarks 20 --set training.batch_size=16
        swapmark train photos/ --out runs/first --resume

    Args:
        images: Folders (with their subfolders), zips, tars or images of one kind of thing. Some
            hundreds or thousands are usual.
        out: The run folder to make.
        landmarks: How many landmarks to learn (K). Default: 10.
        preset: laptop (default): for a CPU. demo: a few minutes, for synthetic faces. standard: for
            a GPU, in larger batches. paper: for a GPU, from random weights, with all terms of the
            paper. imm-plus, both-swaps, with-flow, no-swap, no-inverse, no-nearby,
            no-known-equivariance: laptop with a part of the objective left out or added.
        method: c3: pairs of different images exchange their appearance. imm: the baseline, which
            pairs an image with a warp of itself.
        steps: Training steps. Choose before you start: they cannot be added later.
        config: A YAML file of settings that replace the preset's, such as a run's config.yaml.
        set: One setting, such as training.batch_size=16. May be given several times.
        devices: How many GPUs to train on.
        resume: Go on with the run in OUT.
    """
    from swapmark.training.config import override, parse_settings, read_yaml
    from swapmark.training.processes import tells_user
    from swapmark.training.train import train as train_run

    settings = override(read_yaml(config) if config else {}, parse_settings(set or []))
    tells = tells_user(devices)
    try:
        run = train_run(
            _source(images),
            out,
            landmarks=landmarks,
            preset=preset,
            method=method,
            steps=steps,
            seed=seed,
            config=settings or None,
            device=device,
            devices=devices,
            resume=resume,
            overwrite=overwrite,
            progress=not quiet,
        )
    except KeyboardInterrupt as stopped:
        from swapmark.data.sources import is_run

        if not tells:
            sys.exit(INTERRUPTED)
        if not stopped.args or not is_run(out):  # before there was a run
            raise
        again = ["swapmark", "train", *images, "--out", str(out), "--resume"]
        again += ["--device", device] if device else []
        again += ["--devices", str(devices)] if devices != 1 else []
        raise KeyboardInterrupt(f"{stopped}. Go on with:\n  {shlex.join(again)}") from None
    if tells:
        print(f"The run is in {run.path}.", flush=True)
        print(_reported(run.path, _source(images), device, progress=not quiet))
        print("Next:")
        print(f"  {shlex.join(['swapmark', 'predict', str(run.path)])} IMAGES --out points.csv")


def _reported(run: Path, images: str | list[str], device: str | None, *, progress: bool) -> str:
    """The verdict on a run that has ended, with where its report is."""
    import swapmark

    try:
        detector = swapmark.load(run, device=device)
        made = detector.report(images, run / "report.html", overwrite=True, progress=progress)
    except Exception as error:  # what was learned is there all the same
        return f"There is no report ({one_line(error)}). Try: swapmark report {run} IMAGES"
    return f"{made.verdict}\nWhat was learned: {made.path}"


@app.command(sort_key=2)
def predict(
    run: Model,
    images: list[str],
    /,
    *,
    out: Annotated[str, Parameter(alias="-o")] = "points.csv",
    format: Format | None = None,
    points: str | None = None,
    names: str | None = None,
    overlay: Annotated[Path | None, Parameter(validator=_check_here)] = None,
    every: int = 1,
    start: float | None = None,
    stop: float | None = None,
    frame_rate: float | None = None,
    batch_size: int = 64,
    safe: Safe = False,
    fingerprint: bool = False,
    shard: str | None = None,
    engine: str | None = None,
    device: Device = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Find the learned landmarks in images and write them as a table.

    For example:

        swapmark predict faces photo.jpg --out face.csv
        swapmark predict runs/first a.jpg b.jpg more/ --overlay look.png
        swapmark predict runs/first mouse.mp4 --out mouse.csv --overlay drawn.mp4
        swapmark predict runs/first photos/ --points mine --out mine.tps
        swapmark predict runs/first photos/ --names landmark_6=snout,landmark_2=tail
        swapmark predict runs/first millions/ --out parts/ --shard 3/40

    Args:
        images: Folders (with their subfolders), zips, tars, images, a .txt with a path in each
            line, or a video.
        out: The table to write, one row for each image or frame, in pixels of the upright original.
            (0, 0) is the centre of the top left pixel. Images that cannot be read are listed beside
            it, in points-skipped.csv. A name without ending is a folder, for tables of 1,024 images
            each; called again, the command makes those that are missing. Either may be a URL, such
            as s3://bucket/points/.
        format: The format of OUT. Default: by its ending (.csv, .tps, .json for COCO, .parquet).
            Give dlc for DeepLabCut, whose files end in .csv too.
        points: Find your own points, by the name that `swapmark fit` kept them under.
        names: Other names for some points, as landmark_6=snout, with commas between them.
        overlay: A picture (.png, .jpg) of up to 36 images with their points. For a video, also a
            video (.mp4, .mov, .mkv) with the points on every frame used.
        every: Use every n-th frame of the video.
        start: Use the frames of the video from this second on.
        stop: Use the frames of the video before this second.
        frame_rate: The images are frames of a video, this many a second.
        batch_size: How many images to work on at once.
        fingerprint: Add a column that says which weights found the points.
        shard: Make one share of a folder of tables, such as 3/40: the third of forty. Default: that
            of a Slurm job array, or all.
        engine: Let the nodes of a Ray cluster make a folder of tables: ray, or ray:8 for 8 actors.
            Default: this process.
    """
    from dataclasses import replace

    from swapmark.data.cache import write_skipped
    from swapmark.data.folders import beside, writing_at
    from swapmark.data.items import is_video_name
    from swapmark.errors import counted
    from swapmark.files import safe_cell
    from swapmark.points.overlay import check_drawing
    from swapmark.points.table import other_names

    source = _source(images)
    frames = {"frame_rate": frame_rate, "every": every, "start": start, "stop": stop}
    plain = frames == {"frame_rate": None, "every": 1, "start": None, "stop": None}
    plain &= not (overlay or safe or is_video_name(images[0]))
    in_parts = _in_parts(out, format, shard or engine, plain=plain)
    if in_parts:
        detector = _loaded(run, device, points)
        try:
            made = detector.predict_parts(
                source,
                out,
                shard=shard,
                engine=engine,
                names=other_names(detector.names, names) if names else None,
                format=format or "csv",
                fingerprint=fingerprint,
                batch_size=batch_size,
                progress=not quiet,
                overwrite=overwrite,
            )
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"the same command goes on from the parts in {out}") from None
        _tell_parts(made, run)
        return
    reasons = _reasons(Path(out)).name
    with writing_at(out, [reasons], overwrite=overwrite) as table:
        if any(table.resolve() == Path(image).expanduser().resolve() for image in images):
            raise InputError(f"{out} is one of the images. Choose another --out.")
        if overlay:
            if overlay.resolve() == table.resolve():
                raise InputError(f"{out} cannot be both the table and the overlay. Rename one.")
            video = frame_rate is not None or is_video_name(images[0])
            check_drawing(overlay, source, frames=video, overwrite=overwrite)
        detector = _loaded(run, device, points)
        chosen = other_names(detector.names, names) if names else detector.names
        found = detector.predict(source, batch_size=batch_size, progress=not quiet, **frames)
        mark = (detector.network.fingerprint[:16],) * len(found) if fingerprint else None
        found = replace(found, names=chosen, fingerprint=mark)
        try:
            lost = found.save(table, format, overwrite=overwrite, safe=safe)
        except InputError as error:  # an hour's work is not thrown away for an odd name
            found.save(f"{table}.csv", "csv", overwrite=overwrite, safe=safe)
            raise InputError(f"{error} The points are kept in {out}.csv.") from error
        table.with_name(reasons).unlink(missing_ok=True)
        if found.skipped:
            written = (entry._replace(file=safe_cell(entry.file)) for entry in found.skipped)
            write_skipped(table.with_name(reasons), written if safe else found.skipped)
    kind = "image" if found.frame is None else "frame"
    each = f"{counted(len(found.names), 'point' if detector.point_map else 'landmark')} each"
    print(f"{counted(len(found), kind)}, {each}: {out}")
    _print_lost(out, lost)
    if found.skipped:
        total = counted(len(found.skipped) + len(found), kind)
        _tell(f"Skipped {len(found.skipped)} of {total}; reasons: {beside(out, reasons)}")
    if found.unlike is not None and (count := int((found.unlike > 1).sum())):
        told = f"{count} of {counted(len(found), kind)} look{'s' * (count == 1)} unlike those that"
        _tell(f"{told} {run} was trained on, so the landmarks may mean nothing: unlike is above 1.")
    if overlay:
        print(f"Drawn: {found.draw(overlay, overwrite=overwrite)}")


def _reasons(table: Path) -> Path:
    """The list of a table's skipped pictures: points.csv and points.tps may lie side by side."""
    stem = table.stem if table.suffix == ".csv" else table.name
    return table.with_name(f"{stem}-skipped.csv")


def _in_parts(out: str, format: Format | None, shared: str | None, *, plain: bool) -> bool:
    """Whether OUT becomes a folder of tables; `plain`: of pictures, with nothing else asked for."""
    from swapmark.points.formats import format_to_write

    ending = Path(out).suffix
    if ending:
        if shared is not None:
            raise InputError(
                f"--shard and --engine are for a folder of tables; {out} is one. Try --out points/."
            )
        format_to_write(Path(out), format)
    elif not plain:
        raise InputError(
            f"{out} has no ending, so it becomes a folder of tables, without overlays, videos or "
            f"--safe. For a single table give a name such as {out}.csv."
        )
    return not ending


def _loaded(run: str, device: str | None, points: str | None) -> "Detector":
    """What finds the points, and a word where its training is not finished."""
    import swapmark
    from swapmark.data.sources import is_run

    detector = swapmark.load(run, device=device, points=points)
    if detector.folder and is_run(detector.folder):
        from swapmark.training.run import Run

        if step := Run(detector.folder).unfinished():
            _tell(f"Note: the training of {run} is not finished ({step}).")
    return detector


def _tell_parts(made: "PartsMade", run: str) -> None:
    from swapmark.errors import counted

    if made.shard.of > 1:
        _tell(f"Share {made.shard.number} of {made.shard.of}; each share is a call of its own.")
    done = f"{counted(made.made, 'part')} of {made.parts:,} made"
    print(f"{counted(made.found, 'image')}, {done}: {made.folder}")
    if made.skipped:
        _tell(
            f"Skipped {counted(made.skipped, 'image')}; reasons: {made.folder}/part-*-skipped.csv"
        )
    if made.unlike:
        _tell(f"{made.unlike} look unlike those that {run} was trained on: unlike is above 1.")
    if made.missing:
        _tell(f"{counted(made.missing, 'part')} are still missing, of other shards.")
    else:
        print(f"All parts are there. In one table: swapmark convert {made.folder} points.csv")


@app.command(sort_key=3)
def mark(
    run: Annotated[
        str,
        Parameter(
            help="What finds landmarks, as for `swapmark predict`. Leave it out, with IMAGES in "
            "its place, to mark alone."
        ),
    ],
    images: str | None = None,
    /,
    *,
    out: Annotated[Path, OUT],
    names: str | None = None,
    format: Format | None = None,
    port: int = 0,
    address_only: bool = False,
    device: Device = None,
) -> None:
    """Mark your own points in a page of your browser, with suggestions after three pictures.

    Marks are saved as you set them. Ctrl-C ends the page; the same command goes on. Without RUN
    nothing is suggested: so you make a test set.

    For example:

        swapmark mark runs/first photos/ --out marks.csv --names snout,left_ear,right_ear
        swapmark mark photos/ --out test.csv

    Args:
        images: A folder (with its subfolders), zip or tar of images.
        out: The table of marks to make or go on with, in any format that `swapmark convert` knows.
        names: The points, with commas between them. They can be added and renamed in the page.
        format: The format of OUT. Default: that of the file, or by its ending. Give dlc for a new
            table of DeepLabCut.
        port: Where the page listens on this machine. Default: any that is free.
        address_only: Print the address of the page, and open no browser.
    """
    from swapmark.errors import counted
    from swapmark.page.server import Page

    run_or_none, pictures = (run, images) if images else (None, run)
    wanted = [name.strip() for name in names.split(",")] if names else []
    page = Page(
        pictures, out, run=run_or_none, names=wanted, format=format, device=device, port=port
    )
    with page:
        for note in page.session.marks.notes:
            _tell(f"Note: {note}")
        print(f"Mark the points at\n  {page.address}\nCtrl-C ends the page.", flush=True)
        page.serve(browser=not address_only)
    marks = page.session.marks
    print(f"\n{counted(len(marks.begun), 'picture')} marked: {out}")
    _print_lost(out, marks.lost)
    if run_or_none and marks.begun:
        command = ["swapmark", "fit", run, str(out), "--images", pictures, "--out", "mine"]
        print(f"Next:\n  {shlex.join(command)}")


@app.command(sort_key=4)
def fit(
    run: Folder,
    annotated: Marked,
    /,
    *,
    out: Annotated[str, OUT],
    images: Beside = None,
    overlay: Annotated[Path | None, Parameter(validator=_check_here)] = None,
    normaliser: Normaliser = None,
    draws: int = 10,
    seed: Annotated[int, SEED] = 0,
    device: Device = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Fit your own points, marked in a few images, to the learned landmarks.

    Uses the rows whose split is fit, or all rows if there is no column split. Prints the error to
    expect on new images, and whether marking more would help.

    For example:

        swapmark fit runs/first marked.zip --out mine
        swapmark fit runs/first marks.tps --images photos/ --out mine --overlay marks.png
        swapmark predict runs/first photos/ --points mine --out mine.csv

    Args:
        out: A name for your points. They are kept in RUN/points/NAME.json.
        overlay: A picture (.png, .jpg) of up to 36 specimens, the largest errors first. Crosses are
            your marks, dots what a fit to the other specimens predicts.
        draws: How many random choices of specimens each row of the learning curve averages.
    """
    import swapmark
    from swapmark.files import refuse_existing
    from swapmark.points.overlay import check_drawing

    detector = swapmark.load(run, device=device)
    refuse_existing(detector.points_path(out), overwrite=overwrite)
    if overlay:
        check_drawing(overlay, images or annotated, frames=False, overwrite=overwrite)
    named = detector.fit_points(
        annotated, images, normaliser=normaliser, draws=draws, seed=seed, progress=not quiet
    )
    result = named.fit
    assert result is not None
    result.print()
    for entry in result.left_out.skipped:
        _tell(f"Skipped {entry.file}: {entry.reason}")
    kept = named.save(out, overwrite=overwrite)
    if overlay:
        print(f"Drawn: {result.draw(overlay, overwrite=overwrite)}")
    command = shlex.join(["swapmark", "predict", run])
    print(f"Written to {kept}. Next:")
    table = shlex.quote(f"{out}-points.csv")  # OUT.csv may be the table of marks
    print(f"  {command} IMAGES --points {shlex.quote(out)} --out {table}")


@app.command(sort_key=5)
def evaluate(
    run: Model,
    annotated: Marked,
    /,
    *,
    images: Beside = None,
    split: float | None = None,
    normaliser: Normaliser = None,
    out: Annotated[Path | None, OUT] = None,
    bootstrap: int = 1000,
    draws: int = 10,
    seed: Annotated[int, SEED] = 0,
    device: Device = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Measure learned landmarks against points marked by hand.

    A linear map from the landmarks to the marked points is fitted on the images whose split is
    fit and scored on those whose split is test, and the other way round. Without splits, each
    fifth of the images is scored by a map of the others.

    For example:

        swapmark evaluate runs/first annotated.zip
        swapmark evaluate runs/first marks.tps --images photos/ --split 0.5

    Args:
        split: Fit the map on this share of the images, chosen at random. For tables without a
            column split.
        out: The file of the numbers. Default: RUN/evaluation/NAME/metrics.json, where NAME is that
            of ANNOTATED; here as MODEL-evaluation-NAME.json if RUN is no folder.
        bootstrap: How many resampled test sets the intervals come from.
        draws: How many random choices of images each row of the few-shot curve averages.
    """
    import swapmark
    from swapmark.files import refuse_existing

    detector = swapmark.load(run, device=device)
    out = out or detector.metrics_path(annotated)
    refuse_existing(out, overwrite=overwrite)
    evaluation = detector.evaluate(
        annotated,
        images,
        split=split,
        normaliser=normaliser,
        bootstrap=bootstrap,
        draws=draws,
        seed=seed,
        progress=not quiet,
    )
    evaluation.print()
    print(f"Written to {evaluation.save(out, overwrite=overwrite)}")


@app.command(sort_key=6)
def export(
    run: Model,
    /,
    *,
    format: Literal["onnx", "hub"] = "onnx",
    out: Annotated[Path | None, OUT] = None,
    points: str | None = None,
    push: str | None = None,
    license: str | None = None,
    overwrite: Overwrite = False,
) -> None:
    """Write a trained detector as an ONNX file or a Hugging Face model.

    For example:

        swapmark export runs/first --out model.onnx
        swapmark export runs/first --format hub --out first-model --license mit
        swapmark export runs/first --format hub --push jane/wings

    Args:
        format: onnx: one file that predicts without torch. hub: a folder that is a repository of
            the Hugging Face hub.
        out: The file or folder to write. Default: model.onnx or hub-model.
        points: Name of own points made by `swapmark fit`, to be found in place of the landmarks.
        push: Send the model to the hub as OWNER/NAME. Log in first (`hf auth login`).
        license: The licence that the hub shows, such as mit. Default: unknown.
    """
    import swapmark

    detector = swapmark.load(run, device="cpu", points=points)
    if format == "hub":
        if out or not push:
            folder = detector.save_hub(out or "hub-model", license=license, overwrite=overwrite)
            command = shlex.join(["swapmark", "predict", str(folder)])
            own = f" --points {shlex.quote(points)}" if points else ""
            print(f"Written to {folder}. Next:\n  {command} IMAGES --out points.csv{own}")
        if push:
            print(f"On the hub: {detector.push_to_hub(push, license=license)}")
        return
    for name, value in (("--push", push), ("--license", license)):
        if value is not None:
            raise InputError(f"{name} {value} is for the hub. Add --format hub, or leave it out.")
    made = detector.export(out or "model.onnx", overwrite=overwrite)
    print(f"Written to {made.path}. Largest difference to torch: {made.difference:.2g} px. Next:")
    print(f"  {shlex.join(['swapmark', 'predict', str(made.path)])} IMAGES --out points.csv")


@app.command(sort_key=7)
def convert(
    source: str,
    target: Path,
    /,
    *,
    read_as: Annotated[Format | None, Parameter(name="--from")] = None,
    write_as: Annotated[Format | None, Parameter(name="--to")] = None,
    images: Path | None = None,
    safe: Safe = False,
    overwrite: Overwrite = False,
) -> None:
    """Turn points from one file format into another, and say what is lost.

    The formats are CSV, TPS (tpsDig), DeepLabCut, COCO keypoints and Parquet. Results of ImageJ are
    read as CSV.

    For example:

        swapmark convert marks.tps marks.csv --images photos/
        swapmark convert points.csv dlc.csv --to dlc

    Args:
        source: The file to read, or a folder of tables that predict made.
        target: The file to write.
        read_as: Format of SOURCE. Default: from its ending and its first lines.
        write_as: Format of TARGET. Default: from its ending (.csv, .tps, .json for COCO, .parquet).
            DeepLabCut's .csv must be named: dlc.
        images: Folder or archive of the images, if they are not beside SOURCE. TPS needs their
            heights.
    """
    import swapmark
    from swapmark.data.cache import write_skipped
    from swapmark.data.folders import folder_at
    from swapmark.errors import counted
    from swapmark.files import refuse_existing
    from swapmark.points.parts import is_parts

    reasons = _reasons(target)
    if is_parts(folder_at(source)):
        refuse_existing(reasons, overwrite=overwrite)
    converted = swapmark.convert(
        source,
        target,
        read_as=read_as,
        write_as=write_as,
        images=images,
        overwrite=overwrite,
        safe=safe,
    )
    points = converted.table
    each = f"{counted(len(points.names), 'point')} each"
    print(f"{counted(len(points), 'image')}, {each}: {target}")
    _print_lost(target, converted.lost)
    if points.skipped:  # of a table in parts
        write_skipped(reasons, points.skipped)
        _tell(f"Skipped were {counted(len(points.skipped), 'image')}; reasons: {reasons}")


@app.command(sort_key=8)
def report(
    run: Model,
    images: list[str],
    /,
    *,
    out: Annotated[Path, OUT] = Path("report.html"),
    annotated: Path | None = None,
    marked_images: Beside = None,
    other: str | None = None,
    device: Device = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Show what the landmarks stand for, in one HTML file: crops, swaps, shapes, and a verdict.

    For example:

        swapmark report runs/first photos/ --out report.html
        swapmark report runs/first photos/ --annotated marked.zip --other runs/second

    Args:
        images: Folders (with their subfolders), zips, tars or images. Of more than 1,000, so many
            are looked at.
        out: The file to write.
        annotated: A zip or folder with marked images, or a table of marked points, to evaluate on.
        other: Another run on the same kind of pictures: do both find the same places?
    """
    import swapmark

    detector = swapmark.load(run, device=device)
    made = detector.report(
        _source(images),
        out,
        annotated=annotated,
        marked_images=marked_images,
        other=swapmark.load(other, device=device) if other else None,
        overwrite=overwrite,
        progress=not quiet,
    )
    print(made.verdict)
    print(f"The report: {made.path}")


@app.command(sort_key=8)
def transfer(
    run: Model,
    marked: Path,
    images: list[str],
    /,
    *,
    out: Annotated[Path, OUT],
    marked_images: Beside = None,
    format: Format | None = None,
    safe: Safe = False,
    device: Device = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Carry the marks of one specimen to all pictures, by correspondence.

    With two marked specimens or more, `swapmark fit` is better.

    For example:

        swapmark transfer runs/first one-marked.zip photos/ --out points.csv

    Args:
        marked: A zip or folder with one image and marks.csv, or a table with one marked image.
        images: Folders (with their subfolders), zips, tars, images, or a video.
        out: The table to write.
        format: Of `out`, where its ending does not tell.
    """
    import swapmark
    from swapmark.errors import counted
    from swapmark.files import refuse_existing
    from swapmark.points.formats import format_to_write

    format_to_write(out, format)
    refuse_existing(out, overwrite=overwrite)
    detector = swapmark.load(run, device=device)
    found = detector.transfer(marked, _source(images), images=marked_images, progress=not quiet)
    _print_lost(out, found.save(out, format, overwrite=overwrite, safe=safe))
    for entry in found.skipped[:20]:
        _tell(f"Skipped {entry.file}: {entry.reason}")
    if more := len(found.skipped[20:]):
        _tell(f"Skipped {more} more.")
    print(f"{counted(len(found.names), 'point')} in {counted(len(found), 'picture')}: {out}")


@app.command(sort_key=8)
def align(
    run: Model,
    images: list[str],
    /,
    *,
    out: Annotated[Path, OUT],
    points: str | None = None,
    size: int = 256,
    device: Device = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Warp pictures so that their landmarks lie on the mean shape, and average them.

    Writes OUT/average.png, OUT/plain-average.png (of the pictures as they are), the warped pictures
    and the points. Where landmarks mark the same place in every picture, the average is sharp.

    For example:

        swapmark align faces photos/ --out average

    Args:
        images: Folders (with their subfolders), zips, tars, images, or a video.
        out: The folder to make.
        points: Use your own points, by the name that `swapmark fit` kept them under.
        size: Side of the pictures to make, in pixels.
    """
    import swapmark
    from swapmark.drawing.draw import save_image
    from swapmark.errors import counted
    from swapmark.points.average import Average, warp_pictures
    from swapmark.points.overlay import check_drawing

    source = _source(images)
    check_drawing(out / "average.png", source, frames=False, overwrite=overwrite)
    averages = {"average.png": Average(size), "plain-average.png": Average(size)}
    detector = swapmark.load(run, device=device, points=points)
    found = detector.predict(source, progress=not quiet)
    shapes = found.align()
    for old in (out / "warped").glob("[0-9]*.png"):
        old.unlink()
    for specimen in warp_pictures(shapes, source, size):
        stem = re.sub(r"[^\w.-]+", "_", Path(shapes.points.files[specimen.row]).stem)
        save_image(specimen.warped, out / "warped" / f"{specimen.row + 1:05}-{stem[-80:]}.png")
        averages["average.png"].add(specimen.warped, specimen.warped_inside)
        averages["plain-average.png"].add(specimen.picture, specimen.inside)
    for name, average in averages.items():
        save_image(average.picture(), out / name)
    found.save(out / "points.csv", overwrite=overwrite)
    for entry in (*found.skipped, *shapes.left_out):
        _tell(f"Skipped {entry.file}: {entry.reason}")
    print(f"{counted(len(shapes.points), 'picture')} on the mean shape: {out / 'average.png'}")
    print(f"The same pictures as they are: {out / 'plain-average.png'}")


@app.command(sort_key=9)
def shapes(
    table: str,
    /,
    *,
    out: Annotated[Path, OUT],
    groups: str | None = None,
    images: Beside = None,
    overwrite: Overwrite = False,
) -> None:
    """Align the points of a table (Procrustes), and show how the shapes vary.

    Writes tables of the aligned points, of centroid sizes with the outliers first, of scores and of
    the principal components, and a figure each of variation, components and outliers.

    For example:

        swapmark shapes points.csv --out shapes
        swapmark shapes points.csv --groups species --out shapes

    Args:
        table: A table of points in any format that `swapmark convert` knows.
        out: The folder to make.
        groups: The column of a CSV or Parquet file that holds the groups. Default: group, if it is
            there.
    """
    import swapmark
    from swapmark.errors import counted
    from swapmark.files import refuse_existing

    refuse_existing(out / "aligned.csv", overwrite=overwrite)
    found = swapmark.read_points(table, images=images, group=groups).align()
    for entry in found.left_out:
        _tell(f"Left out {entry.file}: {entry.reason}")
    found.save(out, overwrite=overwrite)
    parts = ", ".join(f"{share:.0%}" for share in found.shares[:3])
    row = int(found.outliers[0])
    print(f"{counted(len(found.points), 'specimen')} aligned: {out}")
    print(f"Share of the variance in the first components: {parts or 'there are none'}")
    print(
        f"Farthest from the mean shape: {found.points.files[row]} ({found.distances[row]:.3f}; "
        f"all have {found.variance**0.5:.3f} on average)"
    )


@app.command(sort_key=10)
def doctor(*, json: bool = False) -> None:
    """Check this machine: versions, devices, disk space, and what is wrong.

    Paste its output into a report of a fault.

    For example:

        swapmark doctor

    Args:
        json: Print everything as JSON, for programs.
    """
    from json import dumps

    from swapmark.environment import diagnose, in_words

    diagnosis = diagnose()
    print(dumps(diagnosis, indent=2) if json else in_words(diagnosis))


def main(tokens: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    0 is success, 2 something the user can act on (told without a traceback), 130 Ctrl-C, 141 an
    end of the reader of standard output, such as `head`.
    Raises SystemExit(2) for a command or option that does not exist.
    """
    try:
        with _left_out_as_notes():
            _print_odd_names_escaped()
            app(sys.argv[1:] if tokens is None else list(tokens), exit_on_error=False)
            sys.stdout.flush()
    except BrokenPipeError:
        _close_output()
        return BROKEN_PIPE
    except SystemExit as ended:  # what rich makes of it, with an exit code of its own
        if isinstance(ended.__context__, BrokenPipeError):
            return BROKEN_PIPE
        raise
    except CycloptsError:  # cyclopts has told which
        sys.exit(USAGE_ERROR)
    except SwapmarkError as error:
        _tell(f"swapmark: {error}")
        return USAGE_ERROR
    except ModuleNotFoundError as error:
        package = (error.name or "swapmark").partition(".")[0]
        if package == "swapmark":
            raise
        _tell(
            f"swapmark: The package {package} is not installed. Install all: pip install swapmark"
        )
        return USAGE_ERROR
    except (OSError, RecursionError) as error:  # what no verb has words of its own for
        file, reason = getattr(error, "filename", None), getattr(error, "strerror", None)
        where = f"{file}: " if file else "A file or standard output: " if reason else ""
        _tell(f"swapmark: {where}{reason or error}.")
        _close_output()
        return USAGE_ERROR
    except KeyboardInterrupt as stopped:
        _tell(f"swapmark: stopped{'; ' if stopped.args else '.'}{stopped}")
        return INTERRUPTED
    return 0


def _print_odd_names_escaped() -> None:
    """Let no name that is no valid text end a command that has done its work."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _close_output() -> None:
    """Take what Python still holds for standard output to nowhere: it would fail once more."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _left_out_as_notes() -> Iterator[None]:
    """Tell what was read past in a file as a note, without Python's place in the code."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", LeftOutWarning)
        shown = warnings.showwarning

        def show(message, category, *place) -> None:
            if not issubclass(category, LeftOutWarning):
                return shown(message, category, *place)
            return _tell(f"Note: {message}")

        warnings.showwarning = show
        yield


def _tell(text: str) -> None:
    print(shown(text), file=sys.stderr)


def _source(images: list[str]) -> str | list[str]:
    """One place as it is, so that names of images are relative to it; several as a list."""
    missing = [image for image in images[1:] if not Path(image).expanduser().exists()]
    if missing:
        raise InputError(
            f"There is no image {missing[0]}. If it names the table to write: --out {missing[0]}"
        )
    return images[0] if len(images) == 1 else images


def _print_lost(path: Path | str, lost: Sequence[str]) -> None:
    for what in lost:
        _tell(f"Not in {Path(path).name}: {what}")
