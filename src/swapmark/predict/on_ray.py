"""The parts of a prediction made by actors on the nodes of a Ray cluster.

Each actor has a detector and lists the pictures itself, so that paths alone are sent; the folder of
the parts is one that all nodes see. A part whose actor or node is lost is made by another.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from swapmark.data.folders import Folder
from swapmark.data.items import Item
from swapmark.data.sources import Source, list_images
from swapmark.errors import InputError, RunError, SwapmarkError, one_line
from swapmark.points.parts import Parts
from swapmark.points.table import Points
from swapmark.predict.parts import PartMade, as_rows, make_part

START_SECONDS = 120
"""After which a cluster without any actor is given up."""
MOST_LOST = 10
"""Actors in a row that end without having made a part."""


@dataclass(frozen=True)
class RayWork:
    """What the actors are told."""

    engine: str
    """`ray` for an actor a CPU, or `ray:8` for eight."""
    model: str
    own_points: Any
    """The map to own points; None for landmarks."""
    source: Source
    parts: Parts
    folder: Folder
    batch_size: int

    def __post_init__(self):
        if not re.fullmatch(r"ray(:[1-9]\d{0,4})?", self.engine):
            raise InputError(f"--engine is {self.engine!r}; expected ray, or ray:8 for 8 actors.")
        if not isinstance(self.source, str | os.PathLike | list | tuple) or not all(
            isinstance(one, str | os.PathLike) for one in _several(self.source)
        ):
            raise InputError("Ray's actors read pictures themselves: give paths or URLs of them.")

    def make(self, numbers: list[int]) -> Iterator[PartMade]:
        """Let the actors make the parts of these numbers; raises InputError without a cluster.

        Raises RunError where all actors are lost, and what went wrong in an actor by its own words.
        """
        ray, count = self._connect()
        here = (str(Path.cwd()), self.folder)
        work = (*here, self.model, self.own_points, self.source, self.parts, self.batch_size)
        kind = ray.remote(num_cpus=1, runtime_env={"env_vars": {"OMP_NUM_THREADS": "1"}})(_Actor)
        waiting, busy, lost = list(reversed(numbers)), {}, 0
        for _ in range(min(count, len(numbers))):
            actor = kind.remote(*work)
            busy[actor.ready.remote()] = (actor, None)
        while (working := any(number is not None for _, number in busy.values())) or waiting:
            limit = None if working else START_SECONDS
            ended, _ = ray.wait(list(busy), num_returns=1, timeout=limit)
            if not ended:
                raise RunError(
                    f"No actor of the Ray cluster has started in {START_SECONDS} s. See `ray "
                    f"status`; the same command goes on from the parts in {self.folder}."
                )
            actor, number = busy.pop(ended[0])
            try:
                made = ray.get(ended[0])
            except ray.exceptions.RayTaskError as error:
                if isinstance(error.cause, SwapmarkError):
                    raise error.cause from None
                raise
            except ray.exceptions.RayError as error:  # the actor, or its node, is lost
                lost += 1
                if lost == MOST_LOST:
                    raise RunError(
                        f"Actors of the Ray cluster end before they have made a part: "
                        f"{one_line(error)}"
                    ) from error
                if number is not None:
                    waiting.append(number)
                actor = kind.remote(*work)  # begins where there is room, if ever
                busy[actor.ready.remote()] = (actor, None)
                continue
            if number is not None:
                lost = 0
                yield made
            if waiting:
                number = waiting.pop()
                busy[actor.make.remote(number)] = (actor, number)

    def _connect(self) -> tuple[Any, int]:
        """Ray, joined to the cluster there is or one of this machine's cores; how many actors."""
        try:
            import ray  # pyright: ignore[reportMissingImports]: an environment of its own
        except ImportError as error:
            raise InputError("--engine ray needs Ray: pip install 'swapmark[ray]'") from error
        if not ray.is_initialized():
            try:
                address = os.environ.get("RAY_ADDRESS")
                ray.init(address=address, log_to_driver=False, logging_level="ERROR")
            except Exception as error:
                raise InputError(f"There is no Ray cluster to join: {one_line(error)}.") from error
        there = int(ray.cluster_resources().get("CPU", 0))
        asked = int(self.engine.partition(":")[2] or max(1, there))
        if asked > there:
            raise InputError(
                f"The Ray cluster has {there} CPUs, and {asked} actors were asked for, which take "
                f"one each. Start more nodes, or give --engine ray:{max(1, there)}."
            )
        return ray, asked


class _Actor:
    """On a node of the cluster: finds the points of whole parts."""

    def __init__(
        self,
        work: str,
        folder: Folder,
        model: str,
        own_points: Any,
        source: Source,
        parts: Parts,
        batch_size: int,
    ):
        import swapmark

        os.chdir(work)  # what is told relative to it means the same
        self.detector = swapmark.load(model, device="cpu", points=own_points)
        self.items, self.parts, self.folder = list_images(source), parts, folder
        self.batch_size = batch_size
        seen = Parts.of(self.items, model="", names=(), ending="").listing
        if seen != parts.listing or self.detector.network.fingerprint != parts.model:
            raise InputError(
                f"A node of the Ray cluster sees other pictures in {source}, or another model in "
                f"{model}, than this machine. Put them where all nodes see them."
            )

    def ready(self) -> None:
        """Tell that it has begun."""

    def make(self, number: int) -> PartMade:
        """Make a part."""
        return make_part(self._find, self.items, self.parts, self.folder, number)

    def _find(self, some: list[Item]) -> Points:
        found = self.detector.predict_part(some, batch_size=self.batch_size)
        return as_rows(found, self.parts)


def _several(source: Any) -> list:
    return list(source) if isinstance(source, list | tuple) else [source]
