"""Find what is wrong with a plan before hours of training are spent on it."""

from pathlib import Path

from harness.cells import cells_of, planned_steps
from harness.images import halves, training_items
from harness.plan import Plan
from swapmark.errors import InputError
from swapmark.points.annotations import annotated_items, read_annotations
from swapmark.specimens.matching import marked_rows
from swapmark.specimens.normaliser import choose_normaliser


def check_plan(plan: Plan, data: Path) -> None:
    """Raise InputError, naming the cell or data set, for what would fail later.

    That is: settings that do not exist, a budget of less than a step, files that are not in the
    folder `data`, annotations that cannot be scored, and pictures of the score in training.
    """
    for cell in cells_of(plan):
        try:
            config = cell.config()
        except InputError as error:
            raise InputError(f"{cell.method_name} on {cell.dataset_name}: {error}") from None
        if plan.budget.minutes is None and planned_steps(plan.budget, config) < 1:
            raise InputError(f"{plan.budget.words} are less than one step. Give a larger budget.")
    files = [name for d in plan.datasets.values() for name in [*d.train, *d.annotated.values()]]
    missing = sorted({name for name in files if not (data / name).exists()})
    if missing:
        raise InputError(
            f"{', '.join(missing)} not found in {data}. Name the folder that holds the files of "
            f"the plan by --data."
        )
    for name, dataset in plan.datasets.items():
        try:
            for file in dataset.annotated.values():
                annotations = read_annotations(data / file)
                annotated_items(data / file, annotations)
                choose_normaliser(dataset.normaliser, annotations.names)
                parts = [annotations] if plan.score == "test" else halves(annotations)
                for part in parts:
                    marked_rows(part)
            training_items(dataset, data, plan.score)
        except InputError as error:
            raise InputError(f"Data set {name}: {error}") from None
