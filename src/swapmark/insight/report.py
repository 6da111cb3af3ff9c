"""One HTML file that shows what a model has learned, to be read without a network and on paper."""

import base64
import io
import os
import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from jinja2 import Environment, StrictUndefined
from PIL import Image

from swapmark import __version__
from swapmark.coordinates import to_relative
from swapmark.data.decoding import load_item
from swapmark.data.items import Item, evenly
from swapmark.data.sources import is_run, list_with_unread
from swapmark.drawing.draw import draw_landmarks, landmark_colours
from swapmark.drawing.plots import plot_losses
from swapmark.drawing.shape_figures import plot_components, plot_outliers, plot_variation
from swapmark.errors import InputError, shown
from swapmark.files import refuse_existing, write_text
from swapmark.insight.findings import ALIKE, LIKE_EDGE, Findings, across_runs, measure, see, verdict
from swapmark.insight.painter import Painter
from swapmark.insight.parts import crop_parts
from swapmark.insight.pictures import TILE, carried_maps, enlarged, heat_picture, strip
from swapmark.model.familiar import Familiar
from swapmark.points.table import Points
from swapmark.predict.network import Network
from swapmark.predict.predict import predict_points
from swapmark.specimens.looks import read_squares
from swapmark.training.config import Config, read_config
from swapmark.training.presets import PRESETS, resolve_config
from swapmark.training.run import Run

MOST, STUDIED = 1000, 200
"""Pictures whose landmarks are found; and those among them that all else is measured on."""
ROW, FEW = 12, 6
"""Pictures in a row of crops, and in the rows and columns of the grids."""
COMPONENTS, ENDS = 3, 3
"""Principal components that are shown; and pictures at each end of one."""


class Report(NamedTuple):
    """What `write_report` has written."""

    path: Path
    verdict: str
    """In one line."""


def write_report(
    network: Network,
    painter: Painter | str,
    source: str,
    images: Any,
    out: Path,
    *,
    evaluation: Any = None,
    annotated: str | os.PathLike | None = None,
    marked_images: Any = None,
    groups: Points | None = None,
    other: Network | None = None,
    other_source: str = "",
    familiar: Familiar | None = None,
    overwrite: bool = False,
    progress: bool = False,
) -> Report:
    """Study up to MOST pictures and write the report.

    painter: what paints, or why there is nothing. source: what the network was loaded from.
    evaluation: of the model on the marked images `annotated`, which lie beside it or in
        `marked_images`; groups: these, with groups.
    other: another run's network, loaded from `other_source`.
    familiar: knows pictures that are unlike those it was trained on.
    Raises InputError where fewer than two pictures can be used or `out` exists.
    """
    refuse_existing(out, overwrite=overwrite)
    items, unread = list_with_unread(images)
    chosen = [items[row] for row in evenly(len(items), MOST)]
    found = predict_points(network, chosen, familiar=familiar, progress=progress)
    used = _those(chosen, found.files)
    if len(used) < 2:
        raise InputError(
            f"Only one picture can be used ({found.files[0]}); what landmarks stand for shows in "
            f"several. Give 2 or more; {STUDIED} or more are usual."
        )
    many = STUDIED * 128**2 // network.image_size**2  # of large squares fewer
    rows = evenly(len(used), min(STUDIED, max(2 * FEW, many)))
    studied, some = found.take(rows), [used[row] for row in rows]
    squares = np.stack([square for square, _ in read_squares(network, some, 1)])
    sight = see(network, squares)
    paints = painter if isinstance(painter, Painter) else None
    findings = measure(network, squares, sight, paints)
    run = Run(Path(source)) if is_run(Path(source)) else None
    config = None
    if run:
        with suppress(InputError):  # of another version: the settings are left out
            config = read_config(run.config)
    skipped = [*found.skipped, *unread]
    unlike = 0 if found.unlike is None else int((found.unlike > 1).sum())
    wanting = len(skipped), unlike, run.unfinished() if run else ""
    span = np.median(np.ptp(studied.xy, axis=1) / studied.sizes, axis=0)
    said = verdict(findings, found.names, squares, span, *wanting)
    shapes, averages, note = _shapes(found, used, groups)
    top_down = np.argsort(found.xy[..., 1].mean(axis=0) if shapes is None else shapes.mean[:, 1])
    typical, worst = _typical_and_worst(found)
    few = evenly(len(squares), FEW)
    maps, lines = carried_maps(squares[few], sight.take(few), network.image_size)
    view = {
        "title": Path(source).resolve().name,
        "version": __version__,
        "verdict": said,
        "counts": {
            "given": len(items),
            "tried": len(chosen),
            "found": len(found),
            "studied": len(some),
        },
        "skipped": skipped[:20],
        "more_skipped": max(0, len(skipped) - 20),
        "size": network.image_size,
        "typical": _thumbnails(network, [used[row] for row in typical], found.take(typical)),
        "worst": _thumbnails(network, [used[row] for row in worst], found.take(worst)),
        "landmarks": _landmarks(network, paints, some, studied, squares, findings, top_down, other),
        "swaps": _swap_grid(paints, squares) if paints else None,
        "no_swaps": painter if isinstance(painter, str) else "",
        "averages": averages,
        "correspondence": {"tiles": [_picture(tile) for tile in maps], "lines": _picture(lines)},
        "shapes": shapes and {**_shape_figures(shapes), "ends": _ends(network, used, shapes)},
        "shapes_note": note,
        "curves": _curves(run, config) if run and config else None,
        "evaluation": _evaluation(evaluation),
        "settings": _settings(config) if config else [],
        "commands": _commands(run, source, images, annotated, marked_images, other_source, out),
    }
    template = files("swapmark.insight").joinpath("report.html.jinja").read_text(encoding="utf-8")
    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    write_text(out, shown(page.from_string(template).render(view)))
    bad = [text for well, text in said if not well]
    line = bad[0] if bad else said[0][1]
    more = f" ({len(bad) - 1} more in the report)" if len(bad) > 1 else ""
    return Report(out, f"{'Look at this: ' if bad else 'Good: '}{line}{more}")


def _those(items: Sequence[Item], names: Sequence[str]) -> list[Item]:
    """The items with these names, which are in the items' order."""
    left = iter(items)
    return [next(item for item in left if item.name == name) for name in names]


def _picture(array: np.ndarray, quality: int = 80) -> str:
    """A picture uint8 (H, W, 3) as the address of an image in the page itself."""
    content = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(array)).save(content, "WEBP", quality=quality)
    return "data:image/webp;base64," + base64.b64encode(content.getvalue()).decode()


def _figure(path: Path) -> str:
    with Image.open(path) as figure:
        return _picture(np.asarray(figure.convert("RGB")), 88)


def _typical_and_worst(points: Points) -> tuple[np.ndarray, np.ndarray]:
    """Rows: the middle of all by their mean confidence, and those of the least."""
    assert points.confidence is not None
    order = np.argsort(points.confidence.mean(axis=1))
    middle = len(order) // 2
    half = min(FEW, len(order)) // 2
    return order[max(0, middle - half) : middle - half + 2 * half], order[: min(FEW, middle)]


def _thumbnails(network: Network, items: Sequence[Item], points: Points) -> list[dict[str, Any]]:
    tiles = []
    assert points.confidence is not None
    for row, item in enumerate(items):
        square, placement = load_item(item, 2 * TILE, network.resize)
        at = placement.to_model(points.xy[row])
        drawn = draw_landmarks(square, at, confidence=points.confidence[row], numbers=True)
        sure = float(points.confidence[row].mean())
        tiles.append({"picture": _picture(drawn), "name": item.name, "confidence": sure})
    return tiles


def _landmarks(
    network: Network,
    paints: Painter | None,
    items: Sequence[Item],
    points: Points,
    squares: np.ndarray,
    findings: Findings,
    top_down: np.ndarray,
    other: Network | None,
) -> list[dict[str, Any]]:
    """One row a landmark, from top to bottom of the mean shape."""
    rows = evenly(len(items), ROW)
    shown_items = [items[row] for row in rows]
    crops = np.stack(list(crop_parts(shown_items, points.xy[rows], size=56, extent=0.25)))
    heat = paints.heatmaps(squares).mean(axis=0) if paints else None
    plain = squares.mean(axis=0)
    across = None
    if other:
        theirs = predict_points(other, list(items))
        across = across_runs(_relative(points), _relative(theirs)) * network.image_size
    # One that is most like the mean of all.
    far = [float(np.square(square - plain).sum()) for square in squares]
    middle = squares[int(np.argmin(far))]
    step = network.image_size / 10
    moves = step * np.array([(-1, 0), (-0.5, 0), (0, 0), (0.5, 0), (1, 0), (0, -1), (0, 1)])
    found = []
    for k in top_down.tolist():
        moved = paints.traverse(middle, k, moves) if paints else None
        found.append(
            {
                "name": points.names[k],
                "colour": "#" + bytes(landmark_colours(k + 1)[k]).hex(),
                "crops": _picture(strip(crops[:, k])),
                "heat": None if heat is None else _picture(heat_picture(heat[k], plain)),
                "moved": None if moved is None else _picture(strip(enlarged(moved))),
                "repeatability": float(findings.repeatability[k]),
                "percent": float(findings.repeatability[k] / network.image_size * 100),
                "confidence": float(findings.confidence[k]),
                "spread": float(findings.spread[k]),
                "likeness": float(findings.likeness[k]),
                "differs": bool(findings.likeness[k] <= ALIKE),
                "edge": float(findings.edge[k]),
                "like_edge": bool(findings.edge[k] >= LIKE_EDGE),
                "across": None if across is None else float(across[k]),
            }
        )
    return found


def _relative(points: Points) -> np.ndarray:
    """Points as shares of the longer side of each picture."""
    assert points.sizes is not None
    return to_relative(points.xy, points.sizes, "corner")


def _swap_grid(painter: Painter, squares: np.ndarray) -> dict[str, Any]:
    rows = evenly(len(squares), 2 * FEW)
    looks, poses = squares[rows[::2]], squares[rows[1::2]]
    pairs = [(look, pose) for look in looks for pose in poses]
    painted = painter.swap(*(np.stack(part) for part in zip(*pairs, strict=True)))
    painted = painted.reshape(len(looks), len(poses), *painted.shape[1:])
    return {
        "poses": [_picture(pose) for pose in poses],
        "rows": [
            (_picture(look), [_picture(tile) for tile in row])
            for look, row in zip(looks, painted, strict=True)
        ],
    }


def _shapes(found: Points, used: list[Item], groups: Points | None):
    """The shapes, the two average pictures, and why there are none."""
    if groups is not None and groups.group is not None:
        known = dict(zip(groups.files, groups.group, strict=True))  # sure matches alone
        named = tuple(known.get(file, "") for file in found.files)
        found = replace(found, group=named) if any(named) else found
    try:
        shapes = found.align()
    except InputError as error:
        return None, None, str(error)
    try:
        rows = evenly(len(shapes.points), STUDIED)
        warped = shapes.points.take(rows).warp_to_mean(used)
    except InputError:
        return shapes, None, ""
    return shapes, {"warped": _picture(warped.average), "plain": _picture(warped.plain_average)}, ""


def _shape_figures(shapes) -> dict[str, Any]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "figure.png"
        points = shapes.points
        found: dict[str, Any] = {
            "variation": _figure(plot_variation(shapes.aligned, shapes.mean, path))
        }
        parts = shapes.mean, shapes.axes, shapes.scores, shapes.shares, points.group
        found["components"] = _figure(plot_components(*parts, path)) if len(shapes.axes) else None
        order = shapes.outliers.tolist()
        outliers = shapes.aligned, shapes.mean, shapes.distances, order, points.files
        found["outliers"] = _figure(plot_outliers(*outliers, path))
    sizes = shapes.sizes
    found["sizes"] = [float(value) for value in np.quantile(sizes, [0, 0.5, 1])]
    found["shares"] = [float(share) for share in shapes.shares[:3]]
    found["farthest"] = [(points.files[row], float(shapes.distances[row])) for row in order[:5]]
    return found


def _ends(network: Network, used: list[Item], shapes) -> list[dict[str, Any]]:
    """The pictures with the lowest and the highest scores on each of the first components."""
    items = {item.name: item for item in used}
    ends = []
    for number, scores in enumerate(shapes.scores.T[:COMPONENTS], start=1):
        order = np.argsort(scores)
        rows = np.concatenate([order[:ENDS], order[max(ENDS, len(order) - ENDS) :]])
        points = shapes.points.take(rows)
        tiles = _thumbnails(network, [items[file] for file in points.files], points)
        for tile, row in zip(tiles, rows, strict=True):
            tile["score"] = float(scores[row])
        ends.append({"name": f"PC{number}", "tiles": tiles})
    return ends


def _curves(run: Run, config: Config) -> dict[str, Any] | None:
    lines = run.metrics()
    if not lines:
        return None
    begins = config.swaps_begin
    with TemporaryDirectory() as folder:
        picture = _figure(plot_losses(lines, Path(folder) / "loss.png", begins))
    return {
        "picture": picture,
        "begins": begins,
        "reached": lines[-1]["step"],
        "steps": config.training.steps,
    }


def _evaluation(evaluation: Any) -> dict[str, Any] | None:
    if evaluation is None:
        return None
    score, back = evaluation.forward["imm"], evaluation.backward["imm"]
    points = {
        name: (value, evaluation.mean_shape.per_point[name])
        for name, value in score.per_point.items()
    }
    return {
        "forward": score,
        "backward": back,
        "mean_shape": evaluation.mean_shape.nme,
        "normaliser": evaluation.normaliser,
        "counts": evaluation.counts,
        "points": points,
        "notes": evaluation.notes,
    }


def _settings(config: Config) -> tuple[str, list[tuple[str, Any, Any]]]:
    """The preset that is most like the settings, and each setting that differs: now, and there."""
    found = []
    for name in PRESETS:
        usual = _flat(asdict(resolve_config(preset=name, method=config.method)))
        now = _flat(asdict(config))
        found.append((name, [(key, now[key], usual[key]) for key in now if now[key] != usual[key]]))
    return min(found, key=lambda pair: len(pair[1]))


def _flat(values: dict[str, Any], before: str = "") -> dict[str, Any]:
    flat = {}
    for name, value in values.items():
        inner = isinstance(value, dict)
        flat |= _flat(value, f"{before}{name}.") if inner else {f"{before}{name}": value}
    return flat


def _commands(
    run: Run | None, source: str, images: Any, annotated: Any, beside: Any, other: str, out: Path
) -> list[str]:
    """What makes all of it again, as it would be typed."""
    given = images if isinstance(images, list | tuple) else [images]
    words = (
        [str(one) for one in given]
        if all(isinstance(one, str | Path) for one in given)
        else ["IMAGES"]
    )
    commands = []
    if run:
        trained = str(run.recorded_images().get("source", ""))
        trained = trained if Path(trained).exists() else "IMAGES"
        settings = str(run.config)
        commands.append(["swapmark", "train", trained, "--config", settings, "--out", "again"])
    options = ["--annotated", str(annotated)] if annotated else []
    options += ["--marked-images", str(beside)] if beside else []
    options += ["--other", other] if other else []
    commands.append(["swapmark", "report", source, *words, "--out", str(out), *options])
    commands.append(["swapmark", "predict", source, *words, "--out", "points.csv"])
    commands.append(["swapmark", "shapes", "points.csv", "--out", "shapes"])
    commands.append(["swapmark", "mark", source, *words[:1], "--out", "marks.csv"])
    return [shlex.join(words) for words in commands]
