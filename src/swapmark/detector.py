"""What finds landmarks, and all that can be done with it, as verbs of one object."""

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from swapmark.coordinates import pixels_to_unit
from swapmark.data.folders import folder_at
from swapmark.data.images import Placement
from swapmark.data.items import Item
from swapmark.data.sources import Source, list_images, list_with_unread
from swapmark.errors import InputError, LeftOutWarning, RunError, counted
from swapmark.files import refuse_existing
from swapmark.model.familiar import Familiar
from swapmark.points.annotated import Annotated, read_annotated
from swapmark.points.checks import check_sizes, check_unit
from swapmark.points.formats import format_to_write
from swapmark.points.parts import Parts
from swapmark.points.rows import sizes_of
from swapmark.points.table import Points, default_names
from swapmark.predict.find import find_familiar, find_model, open_network
from swapmark.predict.network import Network
from swapmark.predict.parts import (
    PartMade,
    PartsMade,
    as_rows,
    make_part,
    parse_shard,
    predict_parts,
)
from swapmark.predict.predict import predict_points
from swapmark.specimens import notes
from swapmark.specimens.evaluate import Evaluation, evaluate
from swapmark.specimens.fit import PointFit, fit_points
from swapmark.specimens.looks import look, read_squares
from swapmark.specimens.metrics import choose_normaliser
from swapmark.specimens.point_map import (
    PointMap,
    find_point_map,
    point_map_path,
    read_point_map,
)

if TYPE_CHECKING:
    from swapmark.insight.correspondence import Correspondence
    from swapmark.insight.painter import Painter
    from swapmark.insight.report import Report

FEW = 5
"""Pictures that tell whether marks are what own points were found at."""


def load(
    source: str | os.PathLike, *, device: str | None = None, points: str | PointMap | None = None
) -> "Detector":
    """Load a detector: from a run or model folder, an .onnx file, or by a model's name.

    A name is that of a built-in model, or OWNER/NAME of one on the Hugging Face hub; a folder here
    of that name comes first. `device` is `cuda`, `mps` or `cpu`: the best there is by default, the
    CPU for an .onnx file, which needs onnxruntime and no torch. With `points`, the name under which
    a detector of own points was saved, or its `.point_map`, it finds these points; an .onnx file
    that was exported with own points finds them without.

    Raises RunError that says what is missing, and InputError for a device that is not there.

    >>> import swapmark
    >>> swapmark.load("faces").names[:2]
    ('landmark_1', 'landmark_2')
    >>> swapmark.load("absent")
    Traceback (most recent call last):
    swapmark.errors.RunError: There is no absent. ...
    """
    path = find_model(source)
    network = open_network(path, device=device)
    folder = Path(source) if Path(source).is_dir() else None
    familiar = find_familiar(path, network)
    detector = Detector(network, os.fspath(source), path, folder, familiar=familiar)
    if points is None and network.points:
        points = read_point_map(path, network.points)
    if points is None:
        return detector
    own = find_point_map(folder or path, points, network.fingerprint)
    name = points if isinstance(points, str) else detector.own_name
    return replace(detector, point_map=own, own_name=name)


@dataclass(frozen=True, eq=False, repr=False)
class Detector:
    """Finds landmarks, or own points that were fitted to them, in pictures and videos.

    `swapmark.load` gives one.

    >>> import swapmark
    >>> from swapmark.faces.drawn import save_faces
    >>> faces = swapmark.draw_faces(30, size=64, fit=0.5, test=0.5)
    >>> detector = swapmark.load("faces")
    >>> detector
    <Detector faces: 10 landmarks>
    >>> detector.predict(faces.images)
    <Points: 30 images, 10 points each>
    >>> marked = save_faces(faces, "marked.zip")
    >>> 0 < detector.evaluate(marked).forward["imm"].nme < 20
    True
    >>> named = detector.fit_points(marked)
    >>> named.predict(faces.images).names
    ('left_eye', 'right_eye', 'nose', 'left_mouth', 'right_mouth')
    """

    network: Network
    """What finds the landmarks, in torch or onnxruntime."""
    source: str
    """What it was loaded from, as it was given."""
    path: Path
    """The model folder or the .onnx file."""
    folder: Path | None = None
    """The run or model folder for own points and evaluations; None where `source` is no folder."""
    point_map: PointMap | None = None
    """From the landmarks to own points; None for a detector of landmarks."""
    own_name: str = "points"
    """The name under which own points were loaded, and under which an export keeps them."""
    fit: PointFit | None = None
    """How well the own points fit, for what `fit_points` gave."""
    familiar: Familiar | None = None
    """What the training pictures look like; None where the model does not know."""

    def __repr__(self) -> str:
        found = counted(len(self.names), "landmark" if self.point_map is None else "point")
        names = "" if self.point_map is None else f" ({', '.join(self.names)})"
        return f"<Detector {self.source}: {found}{names}>"

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the points that `predict` finds."""
        return self.point_map.names if self.point_map else default_names(self.network.landmarks)

    def predict(
        self,
        source: Source,
        *,
        batch_size: int = 64,
        workers: int | None = None,
        progress: bool = False,
        frame_rate: float | None = None,
        every: int = 1,
        start: float | None = None,
        stop: float | None = None,
    ) -> Points:
        """Find the points in every image of a folder, zip, tar, file, list or array, or in a video.

        Images that cannot be read are listed in `.skipped` of the result; `.unlike` is above 1 for
        those that look unlike the training pictures. Of a video there is a row
        a frame: each one, or each n-th (`every`), from second `start` on and before second `stop`.
        With `frame_rate` pictures are taken for the frames of a video, so many a second. Raises
        InputError when no image can be used.
        """
        return predict_points(
            self.network,
            source,
            self.point_map,
            batch_size=batch_size,
            workers=workers,
            progress=progress,
            frame_rate=frame_rate,
            every=every,
            start=start,
            stop=stop,
            familiar=self.familiar,
        )

    def predict_parts(
        self,
        source: Source,
        out: str | os.PathLike,
        *,
        shard: str | None = None,
        names: Sequence[str] | None = None,
        format: str = "csv",
        fingerprint: bool = False,
        batch_size: int = 64,
        workers: int | None = None,
        engine: str | None = None,
        progress: bool = False,
        overwrite: bool = False,
    ) -> PartsMade:
        """Find the points as `predict` does, and write them into a folder, part by part.

        A part has 1,024 pictures and is written whole or not at all. Called again it makes what is
        missing. With `shard`, such as `3/40`, it makes each 40th part from the third on, and 39
        other calls, on any machine, the others; in a job array of Slurm that follows by itself.
        With `engine` `ray`, or `ray:8` for eight actors, the nodes of a Ray cluster make the parts.
        `names` are other names of the points; `format` is csv or parquet. `swapmark.read_points` on
        the folder gives all in one table. Raises InputError where `out` has parts of other pictures
        or of another model.
        """
        which, folder = parse_shard(shard), folder_at(out)
        if format not in ("csv", "parquet"):
            raise InputError(f"The format of parts is {format!r}; expected csv or parquet.")
        ending = f".{format}"
        format_to_write(Path(f"part{ending}"))
        items, unread = list_with_unread(source, progress=progress)
        parts = Parts.of(
            items,
            own_points=self.point_map.to_json() if self.point_map else "",
            model=self.network.fingerprint,
            names=tuple(names or self.names),
            ending=ending,
            fingerprint=fingerprint,
        )

        def find(some: list[Item]) -> Points:
            found = self.predict_part(some, batch_size=batch_size, workers=workers)
            return as_rows(found, parts)

        def make(numbers: list[int]) -> Iterator[PartMade]:
            return (make_part(find, items, parts, folder, number) for number in numbers)

        if engine is not None:
            from swapmark.predict.on_ray import RayWork

            own = self.point_map
            make = RayWork(engine, self.source, own, source, parts, folder, batch_size).make
        return predict_parts(
            make, items, unread, parts, folder, which, overwrite=overwrite, progress=progress
        )

    def predict_part(
        self, items: Sequence[Item], *, batch_size: int = 64, workers: int | None = None
    ) -> Points:
        """What `predict` finds; but InputError where a store does not give a picture for now."""
        return predict_points(
            self.network,
            list(items),
            self.point_map,
            batch_size=batch_size,
            workers=workers,
            familiar=self.familiar,
            skip_unreached=False,
        )

    def evaluate(
        self,
        annotated: str | os.PathLike,
        images: Source | None = None,
        *,
        split: float | None = None,
        normaliser: str | None = None,
        bootstrap: int = 1000,
        draws: int = 10,
        seed: int = 0,
        progress: bool = False,
    ) -> Evaluation:
        """Measure how well the landmarks predict points that were marked by hand.

        `annotated` is a zip or folder with images and marks.csv, or a table of marked points in any
        format, whose images lie beside it or in `images`. A linear map is fitted on the images
        whose split is `fit` and scored on those of `test`, and the other way round. Without splits,
        `split=0.5` makes random halves; otherwise each fifth is scored by a map of the other four.
        Groups stay whole. `normaliser` is what errors are measured in: two points as `name1,name2`,
        `box` or `diagonal`. Intervals come from `bootstrap` redrawn test sets; the rows of the
        few-shot curve average `draws` choices of images; `seed` decides both.
        """
        marked = read_annotated(annotated, images)
        choose_normaliser(normaliser, marked.points.names)
        return evaluate(
            self._landmarks(marked, ("fit", "test"), progress),
            marked.points,
            normaliser=normaliser,
            split=split,
            bootstrap=bootstrap,
            draws=draws,
            seed=seed,
        )

    def fit_points(
        self,
        annotated: str | os.PathLike,
        images: Source | None = None,
        *,
        normaliser: str | None = None,
        draws: int = 10,
        seed: int = 0,
        progress: bool = False,
    ) -> "Detector":
        """Learn own points, marked in a few images, and return the detector of these points.

        The arguments are those of `evaluate`. Images whose split is `fit` are used, all where there
        is no split. The points are mapped from the landmarks, and moved by what the backbone sees
        around them where that helps. `.fit` of the result says what error to expect on new images,
        and whether more marks would help; `save` keeps the points.
        """
        marked = read_annotated(annotated, images)
        choose_normaliser(normaliser, marked.points.names)
        found = self._landmarks(marked, ("fit",), progress)
        items = {item.name: item for item in marked.items}
        looks = look(self.network, [items[file] for file in found.files], progress=progress)
        fit = fit_points(
            found,
            marked.points,
            looks=looks,
            model=self.network.fingerprint,
            normaliser=normaliser,
            draws=draws,
            seed=seed,
        )
        return replace(self, point_map=fit.map, fit=fit)

    def _landmarks(self, marked: Annotated, splits: Sequence[str], progress: bool) -> Points:
        """The landmarks in the images with a mark, where there are splits in those of `splits`.

        Raises InputError, before any is looked for, where the marks cannot be of these images.
        """
        for note in marked.notes:
            warnings.warn(note, LeftOutWarning, stacklevel=3)
        wanted = marked.points.marked.any(axis=1)
        if marked.points.split is not None:
            wanted &= np.isin(marked.points.split, splits)
        if not wanted.any():
            where = "" if marked.points.split is None else f" whose split is {' or '.join(splits)}"
            raise InputError(
                f"Of {counted(len(marked.items), 'image')} none{where} has a marked point. Mark "
                f"points, or mend the column split."
            )
        items = [marked.items[row] for row in np.flatnonzero(wanted)]
        points, sizes = marked.points.take(wanted), sizes_of(items)
        check_sizes(points, sizes)
        check_unit(points, sizes)
        for name in self._own_points_on(points, items[:FEW]):
            told = notes.found_by(f"this model: they lie where its points {name} do")
            warnings.warn(told, LeftOutWarning, stacklevel=3)
        return predict_points(self.network, items, progress=progress)

    def _own_points_on(self, marked: Points, items: Sequence[Item]) -> Iterator[str]:
        """The names of own points in the folder that are found just on the marks of `items`."""
        for path in sorted((self.folder / "points").glob("*.json")) if self.folder else ():
            with suppress(RunError, InputError):  # of an earlier model; unreadable pictures
                own = find_point_map(self.folder, path.stem, self.network.fingerprint)
                found = predict_points(self.network, items, own)
                rows = [marked.files.index(file) for file in found.files]
                if notes.agree(marked.xy[rows], found.xy):
                    yield path.stem

    def heatmaps(self, images: Source) -> np.ndarray:
        """Where each landmark may be: float32 (N, K, h, w), each map of sum 1.

        The maps cover the squares that the network sees, 4 of whose pixels are one cell. Raises
        RunError for a model without what paints, such as an ONNX file, and InputError where a
        picture cannot be read; so do `swap` and `traverse`.
        """
        return self._painter.heatmaps(self._squares(images))

    def swap(self, appearance_of: Source, pose_of: Source) -> np.ndarray:
        """Paint the looks of N pictures in the pose of N others: D(a_i, p_j) of Xu et al. 2020.

        Gives the network's squares, uint8 (N, side, side, 3). One picture goes with all of the
        other source; else there must be as many in both.
        """
        looks, poses = self._squares(appearance_of), self._squares(pose_of)
        if len(looks) != len(poses) and 1 not in (len(looks), len(poses)):
            raise InputError(
                f"There are {len(looks)} pictures to take the appearance of and {len(poses)} the "
                f"pose. Give as many of both, or one of either."
            )
        shape = np.broadcast_shapes(looks.shape, poses.shape)
        return self._painter.swap(np.broadcast_to(looks, shape), np.broadcast_to(poses, shape))

    def traverse(self, image: Source, landmark: str, offsets: np.ndarray | Sequence) -> np.ndarray:
        """Paint one picture M times, with one landmark moved: uint8 (M, side, side, 3).

        landmark: its name, such as `landmark_7`. offsets: (M, 2), x to the right and y down, in
        pixels of the network's square.
        """
        moves = np.asarray(offsets, dtype=float)
        if moves.ndim != 2 or moves.shape[1] != 2 or not len(moves) or not np.isfinite(moves).all():
            raise InputError(
                f"offsets has shape {moves.shape}; expected (M, 2): x and y of each move, finite."
            )
        squares = self._squares(image)
        if len(squares) != 1:
            raise InputError(f"There are {len(squares)} pictures; expected one to paint anew.")
        names = default_names(self.network.landmarks)
        if landmark not in names:
            raise InputError(f"There is no landmark {landmark!r}; there are {', '.join(names)}.")
        return self._painter.traverse(squares[0], names.index(landmark), moves)

    def correspond(self, a: Source, b: Source) -> "Correspondence":
        """For each pixel of the picture b its place in the picture a, and how certain that is.

        Places (H, W, 2) are pixels of a; those outside of it are where b shows what a does not.
        By the landmarks' warp, and the flow on top of it.
        """
        from swapmark.insight.correspondence import correspond_pictures

        return correspond_pictures(self.network, self._read(a), self._read(b))

    def transfer(
        self,
        marked: str | os.PathLike,
        source: Source,
        *,
        images: Source | None = None,
        progress: bool = False,
    ) -> Points:
        """Carry the points of one marked picture to all of `source`, by correspondence.

        `marked` is read as by `fit_points`; its picture lies beside it or in `images`. Confidence
        is how alike the two places look. With two marked pictures or more `fit_points` is better.
        Raises InputError unless one picture has marks.
        """
        from swapmark.insight.correspondence import Carried

        given = read_annotated(marked, images)
        rows = np.flatnonzero(given.points.marked.any(axis=1))
        if len(rows) != 1:
            raise InputError(
                f"{marked} has marks in {counted(len(rows), 'picture')}; expected one to carry "
                f"them from. Learn from several: swapmark fit {self.source} {marked} --out NAME"
            )
        for note in given.notes:
            warnings.warn(note, LeftOutWarning, stacklevel=2)
        points, sizes = given.points.take(rows), sizes_of([given.items[rows[0]]])
        check_sizes(points, sizes)
        check_unit(points, sizes)
        there = np.flatnonzero(given.points.marked[rows[0]])
        ((square, placement),) = self._read([given.items[rows[0]]])
        unit = pixels_to_unit(
            placement.to_model(given.points.xy[rows[0], there]), self.network.image_size
        )
        names = tuple(given.points.names[index] for index in there)
        carried = Carried(names, self.network.see(np.stack([square])), unit)
        return predict_points(
            self.network, source, carried, familiar=self.familiar, progress=progress
        )

    def parts(
        self, images: Source, point: str, *, size: int = 64, extent: float = 0.25
    ) -> np.ndarray:
        """What lies around a point of `names` in each picture: uint8 (N, size, size, 3).

        extent: the side of the crops, as a share of the picture's longer side.
        """
        from swapmark.insight.parts import crop_parts

        if not (0 < extent <= 1 and 1 <= size <= 4096):
            raise InputError(
                f"size is {size} and extent {extent}; expected 1 to 4096 pixels, and a share of "
                f"the longer side above 0 and at most 1."
            )
        if point not in self.names:
            raise InputError(f"There is no point {point!r}; there are {', '.join(self.names)}.")
        items = list_images(images)
        found = self.predict(items)
        for file, reason in found.skipped:
            raise InputError(f"{file} cannot be read: {reason}.")
        xy = found.xy[:, [self.names.index(point)]]
        return np.concatenate(list(crop_parts(items, xy, size=size, extent=extent)))

    def report(
        self,
        images: Source,
        out: str | os.PathLike,
        *,
        annotated: str | os.PathLike | None = None,
        marked_images: Source | None = None,
        other: "Detector | None" = None,
        overwrite: bool = False,
        progress: bool = False,
    ) -> "Report":
        """Write one HTML file that shows what the landmarks stand for, and return its verdict.

        Up to 1,000 of the pictures are looked at. Of a model without what paints, swapped pictures
        are left out. `annotated`: marked images, to evaluate on, whose groups tell shapes apart;
        their pictures lie beside it or in `marked_images`.
        `other`: another run's detector, to see which landmarks both have. Raises InputError where
        fewer than two pictures can be used, or `out` exists and `overwrite` is not set.
        """
        from swapmark.insight.report import write_report

        out = Path(out)
        refuse_existing(out, overwrite=overwrite)
        try:
            painter = self._painter
        except RunError as error:
            painter = str(error)
        marked = read_annotated(annotated, marked_images) if annotated else None
        evaluation = None
        if marked:
            landmarks = self._landmarks(marked, ("fit", "test"), progress)
            evaluation = evaluate(landmarks, marked.points)
        return write_report(
            self.network,
            painter,
            self.source,
            images,
            out,
            evaluation=evaluation,
            annotated=annotated,
            marked_images=marked_images,
            groups=marked.points if marked else None,
            other=other.network if other else None,
            other_source=other.source if other else "",
            familiar=self.familiar,
            overwrite=overwrite,
            progress=progress,
        )

    @cached_property
    def _painter(self) -> "Painter":
        if self.path.is_file():
            raise RunError(
                f"{self.path} finds landmarks and cannot paint. Use the run that it is made of."
            )
        from swapmark.insight.painter import Painter
        from swapmark.model.store import load_whole_model

        return Painter(load_whole_model(self.path), str(getattr(self.network, "device", "cpu")))

    def _read(self, images: Source) -> list[tuple[np.ndarray, Placement]]:
        """The squares of all pictures, with their places there; InputError where one is unread."""
        return list(read_squares(self.network, list_images(images), 1))

    def _squares(self, images: Source) -> np.ndarray:
        return np.stack([square for square, _ in self._read(images)])

    def save(self, name: str, *, overwrite: bool = False) -> Path:
        """Keep own points in the run, as RUN/points/NAME.json, for `load(RUN, points=NAME)`.

        Raises InputError if the file exists and `overwrite` is not set, or there are no own points
        or no folder to keep them in.
        """
        path = self.points_path(name)
        if self.point_map is None:
            raise InputError(f"{self!r} finds no own points. Make some with fit_points(ANNOTATED).")
        assert self.folder is not None
        self.point_map.save(self.folder, name, overwrite=overwrite)
        return path

    def points_path(self, name: str) -> Path:
        """Where `save` keeps own points; InputError for no file's name, or without a folder."""
        if self.folder is not None:
            return point_map_path(self.folder, name)
        if self.path.is_file():
            advice = "Use the run that it was exported from."
        else:
            own = f"my-{Path(self.source).name}"
            advice = f"Make one: swapmark export {self.source} --format hub --out {own}"
        raise InputError(f"{self.source} has no folder here to keep points in. {advice}")

    def metrics_path(self, annotated: str | os.PathLike) -> Path:
        """Where the scores on `annotated` belong: in the run, or here where there is none.

        >>> load("faces").metrics_path("data/lfw.zip").as_posix()
        'faces-evaluation-lfw.json'
        """
        place = Path(annotated).resolve()
        name = place.name if place.is_dir() else place.stem
        if name in ("marks", "landmarks") and place.suffix.lower() == ".csv":
            name = place.parent.name
        if self.folder is not None:
            return self.folder / "evaluation" / name / "metrics.json"
        model = self.path.stem if self.path.is_file() else Path(self.source).name
        return Path(f"{model}-evaluation-{name}.json")

    def export(self, path: str | os.PathLike, *, overwrite: bool = False):
        """Write what finds the points as an .onnx file, which needs no torch to predict.

        Returns an `OnnxExport` with the largest difference to torch. Raises ExportError where that
        is too large.
        """
        from swapmark.export.onnx import export_onnx
        from swapmark.model.store import load_model

        model = load_model(self._model_folder())
        return export_onnx(
            model,
            path,
            fingerprint=self.network.fingerprint,
            point_map=self.point_map,
            familiar=self.familiar,
            overwrite=overwrite,
        )

    def save_hub(
        self, folder: str | os.PathLike, *, license: str | None = None, overwrite: bool = False
    ) -> Path:
        """Write a folder that is a repository of the Hugging Face hub, and that `load` reads.

        It holds what finds landmarks, without what draws pictures. `license` is one of the hub's
        identifiers, such as `mit`.
        """
        from swapmark.export.hub import save_hub

        return save_hub(
            self._model_folder(),
            folder,
            license=license,
            points=self._own_points(),
            overwrite=overwrite,
        )

    def push_to_hub(self, name: str, *, license: str | None = None) -> str:
        """Send the same to the hub as OWNER/NAME; returns its address. A new one is private."""
        from swapmark.export.hub import push_to_hub

        return push_to_hub(self._model_folder(), name, license=license, points=self._own_points())

    def _own_points(self) -> tuple[str, PointMap] | None:
        return (self.own_name, self.point_map) if self.point_map else None

    def _model_folder(self) -> Path:
        if self.path.is_file():
            raise InputError(f"{self.path} is an ONNX file already. Export the run it is made of.")
        return self.path
