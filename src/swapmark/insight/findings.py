"""What can be measured of landmarks without a mark, and what it says, in words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from swapmark.coordinates import pixels_to_unit
from swapmark.data.items import evenly
from swapmark.data.tensors import as_model_input, as_pictures
from swapmark.data.warp import inverse_points, random_warp, warp_images
from swapmark.errors import counted
from swapmark.insight.correspondence import comparable
from swapmark.insight.painter import Painter
from swapmark.predict.network import Network, Sight
from swapmark.specimens.place import fit_place
from swapmark.training.monitor import LandmarkHealth, landmark_health
from swapmark.training.notes import FEW

BATCH = 32
ALIKE, LIKE_EDGE = 0.35, 0.1
"""Backgrounds of LFW and of mice are alike by 0.2 to 0.35, landmarks on the thing by 0.5 to 0.9. So
are plain walls, by up to 0.6; but these are like the edges of their pictures, by 0.2 to 0.5, and
landmarks on faces, mice, flies and lips by at most 0.04."""
POSED, PAIRS = 0.4, 32
"""Swaps take on 0.78 and 0.83 of the pose with `faces`, 0.53 to 0.67 after 600 steps on other sets,
and 0.07 and 0.26 after 60, when they show a blur. Measured on so many pairs."""


@dataclass(frozen=True)
class Findings:
    """Of K landmarks in N pictures; lengths in pixels of the network's square."""

    health: LandmarkHealth
    repeatability: np.ndarray
    """(K,) median distance from where a known warp takes a landmark to where it is found again."""
    confidence: np.ndarray
    """(K,) mean."""
    spread: np.ndarray
    """(K,) standard deviation over the pictures."""
    likeness: np.ndarray
    """(K,) mean cosine of what the backbone sees at the landmark in two pictures."""
    edge: np.ndarray
    """(K,) mean cosine of what it sees at the landmark and along the edges of the same picture."""
    posed: float | None
    """Share of the pose that swaps take on: see `pose_taken_on`; None where nothing paints."""

    @property
    def held(self) -> np.ndarray:
        """(K,): whether its places look alike, as those of a thing do, and unlike the edges."""
        return (self.likeness > ALIKE) & (self.edge < LIKE_EDGE)


def see(network: Network, squares: np.ndarray) -> Sight:
    """What the network makes of many squares, BATCH at a time."""
    parts = [network.see(squares[at : at + BATCH]) for at in range(0, len(squares), BATCH)]
    return Sight(
        np.concatenate([part.xy for part in parts]),
        np.concatenate([part.confidence for part in parts]),
        tuple(np.concatenate(maps) for maps in zip(*(part.maps for part in parts), strict=True)),
    )


def measure(
    network: Network, squares: np.ndarray, sight: Sight, painter: Painter | None = None
) -> Findings:
    """Findings on squares (N, side, side, 3), N at least 2, that the network has seen."""
    size, images = network.image_size, as_model_input(torch.from_numpy(squares))
    generator = torch.Generator().manual_seed(0)
    warp = random_warp(len(images), generator, rotation=10, scale=0.1, translation=0.1)
    again = see(network, as_pictures(warp_images(images, warp)).numpy()).xy
    points, found = (torch.from_numpy(pixels_to_unit(xy, size)).float() for xy in (sight.xy, again))
    off = (found - inverse_points(points, warp)).norm(dim=-1) * size / 2
    likeness, edge = _likeness(comparable(sight.maps), points)
    return Findings(
        landmark_health(points, found, warp),
        repeatability=off.median(dim=0).values.numpy(),
        confidence=sight.confidence.mean(axis=0),
        spread=sight.xy.std(axis=0).mean(axis=-1),
        likeness=likeness,
        edge=edge,
        posed=None if painter is None else pose_taken_on(network, painter, squares, sight.xy),
    )


def pose_taken_on(network: Network, painter: Painter, squares: np.ndarray, xy: np.ndarray) -> float:
    """How much of the pose that they are given swaps have: 1 if their landmarks are those of it.

    Pictures of the first half lend the looks, those of the second the pose: of a video, neighbours
    are nearly one picture. 0: the landmarks of the swap are as far from those of the pose as those
    of the looks are; below 0: farther.
    squares: (N, side, side, 3), N at least 2. xy: (N, K, 2), the landmarks in them.
    """
    half = len(squares) // 2
    looks = evenly(half, PAIRS)
    poses = looks + half
    swapped = see(network, painter.swap(squares[looks], squares[poses])).xy
    left = np.linalg.norm(swapped - xy[poses], axis=-1).mean()
    return 1 - float(left / max(np.linalg.norm(xy[looks] - xy[poses], axis=-1).mean(), 1e-6))


def _likeness(features: torch.Tensor, points: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """(K,) mean cosines of features (N, C, h, w), of unit length, at points (N, K, 2).

    With those of the same landmark over pairs of pictures; and with those along the edges of the
    same picture, a tenth of its height wide.
    """
    taken = F.grid_sample(features, points[:, :, None], align_corners=False, padding_mode="border")
    unit = F.normalize(taken[..., 0], dim=1)
    count = len(unit)
    total = unit.sum(dim=0).square().sum(dim=0)
    alike = (total - count) / (count * (count - 1))
    edges = torch.ones(features.shape[-2:], dtype=torch.bool)
    wide = max(1, len(edges) // 10)
    edges[wide:-wide, wide:-wide] = False
    edge = torch.einsum("nck,nc->k", unit, features[:, :, edges].mean(dim=-1)) / count
    return alike.numpy(), edge.numpy()


def across_runs(these: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(K,) median distance of landmarks (N, K, 2) to what a linear map makes of another run's.

    The map is fitted on every second picture and scored on the others, and the other way round.
    """
    half, used = np.arange(len(these)) % 2 == 0, np.ones(these.shape[:2], bool)
    off = np.empty(these.shape[:2])
    for part in (half, ~half):
        fit = fit_place(others[part], these[part], used[part], np.arange(part.sum()))
        off[~part] = np.linalg.norm(
            fit(others[~part].reshape(int((~part).sum()), -1)) - these[~part], axis=-1
        )
    return np.median(off, axis=0)


def verdict(
    findings: Findings,
    names: Sequence[str],
    squares: np.ndarray,
    span: np.ndarray,
    skipped: int,
    unlike: int,
    unfinished: str,
) -> list[tuple[bool, str]]:
    """Sentences on landmarks and pictures, each with whether it is well, and what to do if not.

    squares: the pictures that were measured. span: (2,) share of the pictures' width and height
    that the landmarks span, in the median. unlike: so many look unlike the training pictures.
    unfinished: how far an unfinished run is, in words.
    """
    health, said = findings.health, []
    wrong = health.warnings()
    follows = health.following > 0.7
    if "collapse" in wrong:
        said.append((False, wrong["collapse"]))
    else:
        told = f"the landmarks follow the picture: {health.following:.0%} of a known shift"
        said.append((follows, told + ("." if follows else "; longer training may help.")))
    width, height = span
    wide = bool(span.max() > 0.2)
    advice = "." if wide else ": crowded in one spot. Try more --landmarks or c3.separation."
    said.append(
        (wide, f"they span {width:.0%} of the width and {height:.0%} of the height{advice}")
    )
    if len(names) > 1:
        apart = "crowding" not in wrong
        said.append((apart, "they keep apart." if apart else wrong["crowding"]))
    loose = [name for name, held in zip(names, findings.held.tolist(), strict=True) if not held]
    if loose:
        share = f"{', '.join(loose[:6])}{' …' if len(loose) > 6 else ''}"
        said.append(
            (
                False,
                f"{counted(len(loose), 'landmark')} ({share}) may sit on the background: what is "
                f"seen there differs from picture to picture, or looks like the edges of the same "
                f"picture. Look at the rows below; leave those out of what you measure, or "
                f"crop the pictures closer.",
            )
        )
    else:
        said.append(
            (
                True,
                "each sits on something that looks alike from picture to picture, and unlike their "
                "edges.",
            )
        )
    if findings.posed is not None:
        posed, share = findings.posed > POSED, f"{max(findings.posed, 0):.0%}"
        advice = "." if posed else ": don't judge by their looks; longer training may help."
        said.append((posed, f"swapped pictures take on {share} of the pose they are given{advice}"))
    distinct = len({square.tobytes() for square in squares})
    if distinct <= len(squares) / 2:
        said.append((False, f"only {distinct} of {len(squares)} pictures differ: give others."))
    elif len(squares) < FEW:
        said.append((False, f"{len(squares)} pictures are few to judge by; give {FEW} or more."))
    if skipped:
        said.append((False, f"{counted(skipped, 'picture')} could not be used; see below."))
    if unlike:
        look = f"{counted(unlike, 'picture')} look{'s' * (unlike == 1)}"
        told = f"{look} unlike those it was trained on"
        said.append((False, f"{told}: there the landmarks may mean nothing."))
    if unfinished:
        said.append((False, f"the run is unfinished ({unfinished}): go on with --resume."))
    return said
