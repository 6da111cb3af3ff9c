"""Which runs count as the same, and in which order they are made."""

from dataclasses import replace

import pytest

from harness.cells import Cell, cells_of, planned_steps, setup_of
from harness.plan import Budget, Method
from swapmark.training.config import Config, config_to_mapping


def setup(plan, **changes) -> str:
    return setup_of(Cell(replace(plan, **changes), "faces", "c3", 0).record())


def test_a_setup_changes_with_all_that_decides_the_result(plan):
    faces = plan.datasets["faces"]
    changed = [
        {"budget": Budget(steps=7)},
        {"budget": Budget(minutes=6)},
        {"score": "fit-halves"},
        {"settings": plan.settings | {"model.sigma": 0.2}},
        {"methods": plan.methods | {"c3": Method("c3", {"c3.cycle": 0})}},
        {"methods": plan.methods | {"c3": Method("untrained")}},
        {"datasets": {"faces": replace(faces, train=["other.zip"])}},
        {"datasets": {"faces": replace(faces, fit_images=True)}},
        {"datasets": {"faces": replace(faces, normaliser="box")}},
    ]
    setups = [setup(plan), *(setup(plan, **change) for change in changed)]
    assert len(set(setups)) == len(setups)


def test_a_setup_does_not_change_with_the_seed_or_with_what_is_only_written(plan):
    one, other = (Cell(plan, "faces", "c3", seed) for seed in (0, 1))
    assert setup_of(one.record()) == setup_of(other.record())
    assert one.key != other.key
    assert setup(plan, curve=6) == setup(plan)
    assert setup(plan, settings=plan.settings | {"training.log_every": 1}) == setup(plan)


def test_a_record_from_before_a_setting_existed_counts_with_its_default(plan):
    record = Cell(plan, "faces", "c3", 0).record()
    older = {name: v for name, v in record["config"]["model"].items() if name != "sigma"}
    assert setup_of(record | {"config": record["config"] | {"model": older}}) == setup_of(record)


def test_a_record_with_a_setting_that_is_no_more_is_a_setup_of_its_own(plan):
    record = Cell(plan, "faces", "c3", 0).record()
    newer = record["config"]["model"] | {"forgotten": 1}
    assert setup_of(record | {"config": record["config"] | {"model": newer}}) != setup_of(record)


def test_the_cells_of_a_seed_come_before_those_of_the_next(plan):
    cells = list(cells_of(replace(plan, seeds=[3, 5])))
    assert [(cell.seed, cell.method_name) for cell in cells] == [
        *((3, "imm"), (3, "c3")),
        *((5, "imm"), (5, "c3")),
    ]


def test_the_settings_of_a_method_win_over_those_of_the_data_set_and_of_all(plan):
    plan = replace(
        plan,
        settings=plan.settings | {"model.landmarks": 4, "c3.cycle": 1, "views.flip": 0.1},
        datasets={
            "faces": replace(plan.datasets["faces"], settings={"model.landmarks": 5, "c3.cycle": 2})
        },
        methods={"c3": Method("c3", {"c3.cycle": 3})},
    )
    config = Cell(plan, "faces", "c3", 7).config()
    assert (config.model.landmarks, config.c3.cycle, config.views.flip) == (5, 3, 0.1)
    assert config.training.seed == 7


@pytest.mark.parametrize(
    ("budget", "steps"), [(Budget(steps=9), 9), (Budget(images=100), 3), (Budget(images=31), 0)]
)
def test_images_seen_are_spent_in_whole_batches(budget, steps):
    assert Config().training.batch_size == 32
    assert planned_steps(budget, Config()) == steps


def test_a_record_holds_every_setting(plan):
    cell = Cell(plan, "faces", "c3", 0)
    assert cell.record()["config"] == config_to_mapping(cell.config())
