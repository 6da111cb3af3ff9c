"""Plans that cannot be carried out are refused before any run, saying what is wrong."""

from pathlib import Path

import pytest
import yaml

from harness.cells import cells_of
from harness.check import check_plan
from harness.plan import read_plan
from swapmark.errors import InputError

PLANS = Path(__file__).parents[2] / "benchmarks"
EXAMPLE = PLANS / "quality.yaml"


def read(values: dict, folder: Path):
    path = folder / "plan.yaml"
    path.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    return read_plan(path)


def test_the_example_is_valid_and_ablates_the_recipe():
    plan = read_plan(EXAMPLE)
    configs = {cell.method_name: cell.config() for cell in cells_of(plan)}
    assert configs["imm"].method == "imm"
    assert configs["imm-plus"].c3.inverse == configs["imm-plus"].c3.cycle == 0
    assert configs["c3-with-flow"].c3.equivariance > 0 == configs["c3"].c3.equivariance
    assert configs["c3-both-swaps"].c3.second_swap > configs["c3"].c3.second_swap
    assert configs["c3-tps-pairs"].views.pairs == "tps"
    rates = {
        name: (config.training.learning_rate, config.training.backbone_rate)
        for name, config in configs.items()
    }
    assert rates["imm"] != rates["c3"] == rates["imm-plus"] == rates["imm-rates-of-preset"]
    assert len({config.model for config in configs.values()}) == 1
    assert len({config.training.batch_size for config in configs.values()}) == 1


@pytest.mark.parametrize("path", sorted(PLANS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_plan_compares_both_methods_on_the_same_nets(path: Path):
    cells = list(cells_of(read_plan(path)))
    assert {"c3", "imm"} <= {cell.method_name for cell in cells}
    configs = [cell.config() for cell in cells]  # raises for a setting that does not exist
    assert len({config.model for config in configs}) == 1
    assert len({config.training.batch_size for config in configs}) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"budget": {"steps": 6, "minutes": 1}}, "exactly one of steps, minutes and images"),
        ({"budget": {}}, "exactly one"),
        ({"budget": {"steps": 0}}, "above 0"),
        ({"score": "train"}, "score"),
        ({"sedes": [0]}, "sedes"),
        ({"methods": {"c3": {"method": "c4"}}}, "methods.c3.method"),
    ],
)
def test_what_is_not_a_plan_is_refused(plan_values, tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        read(plan_values | change, tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"settings": {"c3.cycel": 1}}, r"imm on faces.*(\n.*)*c3.cycle"),
        ({"budget": {"images": 3}}, "3 images are less than one step"),
        (
            {"datasets": {"faces": {"train": ["marked.zip"], "annotated": {"x": "lost.zip"}}}},
            "lost.zip not found",
        ),
        (
            {"datasets": {"faces": {"train": ["marked.zip"], "annotated": {"x": "other.zip"}}}},
            "Data set faces: No image with marked points has split 'fit'",
        ),
        (
            {
                "datasets": {
                    "faces": {
                        "train": ["marked.zip"],
                        "annotated": {"x": "marked.zip"},
                        "normaliser": "left_eye,wing",
                    }
                }
            },
            "Data set faces: .*'wing'",
        ),
    ],
)
def test_what_would_fail_later_is_refused_now(plan_values, data, tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        check_plan(read(plan_values | change, tmp_path), data)


def test_a_good_plan_passes(plan, data):
    check_plan(plan, data)
