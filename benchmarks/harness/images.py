"""Which pictures a cell may learn from: never one that it is scored on."""

import hashlib
import zipfile
from pathlib import Path

import numpy as np

from harness.plan import Dataset, ScoreOn
from swapmark.data.items import Item
from swapmark.data.sources import list_images
from swapmark.errors import InputError
from swapmark.points.annotations import TABLE, annotated_items, read_annotations
from swapmark.types import Annotations


def training_items(dataset: Dataset, data: Path, score: ScoreOn) -> list[Item]:
    """List the training pictures of a data set.

    Raises InputError where one of them has the content of a picture that the score is taken on,
    under whatever name: a `test` picture, and with `fit-halves` a `fit` picture as well.
    """
    items = [
        Item(f"{name}/{item.name}", item.fingerprint, item.read)
        for name in dataset.train
        for item in _usable(data / name, fit_images=dataset.fit_images)
    ]
    kept_apart = {"test"} if score == "test" else {"fit", "test"}
    apart = {}
    for name in dataset.annotated.values():
        for item in _of_splits(data / name, kept_apart):
            apart[_digest(item)] = f"{name}/{item.name}"
    for item in items:
        if other := apart.get(_digest(item)):
            raise InputError(
                f"{item.name} would be trained on, and is {other}, which is kept apart for the "
                f"score ({score}). Take the file out of `train`, or the picture out of the file."
            )
    return items


def halves(annotations: Annotations) -> list[Annotations]:
    """The `fit` images as two halves: to fit on the first and score on the second, and the reverse.

    Images of one group stay in one half; of a single group (one film) the halves are the first and
    the second in the order of the table. Raises InputError if there are fewer than two images.
    """
    fit = [i for i, split in enumerate(annotations.splits) if split == "fit"]
    if len(fit) < 2:
        raise InputError(f"{len(fit)} fit images cannot be halved. Mark more, or use score: test.")
    members: dict[tuple[str, str], list[int]] = {}
    for i in fit:
        group = annotations.groups[i]
        members.setdefault(("group", group) if group else ("image", str(i)), []).append(i)
    parts: tuple[list[int], list[int]] = ([], [])
    if len(members) == 1:
        parts = (fit[: len(fit) // 2], fit[len(fit) // 2 :])
    else:
        # The largest groups first, each to the smaller half; those of a size in a random order.
        groups = list(members.values())
        order = np.random.default_rng(0).permutation(len(groups))
        for index in sorted(order, key=lambda index: -len(groups[index])):
            min(parts, key=len).extend(groups[index])
    return [_split(annotations, *pair) for pair in (parts, parts[::-1])]


def _split(annotations: Annotations, fit: list[int], test: list[int]) -> Annotations:
    """These images alone, as the `fit` and the `test` split."""
    rows = [*fit, *test]
    return Annotations(
        names=annotations.names,
        files=tuple(annotations.files[i] for i in rows),
        splits=("fit",) * len(fit) + ("test",) * len(test),
        groups=tuple(annotations.groups[i] for i in rows),
        xy=annotations.xy[rows],
    )


def _usable(path: Path, *, fit_images: bool) -> list[Item]:
    """The pictures of a training file; of an annotated one only those of the splits allowed."""
    if _has_table(path):
        return _of_splits(path, {"train", "fit"} if fit_images else {"train"})
    return list_images(path)


def _has_table(path: Path) -> bool:
    if path.is_dir():
        return (path / TABLE).is_file()
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(Path(name).name == TABLE for name in archive.namelist())


def _of_splits(path: Path, splits: set[str]) -> list[Item]:
    annotations = read_annotations(path)
    items = annotated_items(path, annotations)
    return [item for item, s in zip(items, annotations.splits, strict=True) if s in splits]


def _digest(item: Item) -> bytes:
    content = item.read()
    data = content.tobytes() if isinstance(content, np.ndarray) else content
    return hashlib.blake2b(data, digest_size=16).digest()
