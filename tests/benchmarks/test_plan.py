"""Which runs a plan is made of, and which of them count as the same."""

from pathlib import Path

import pytest

from harness.plan import identity, modern, read_plan
from swapmark.errors import InputError
from swapmark.files import read_json_lines

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.parametrize("path", sorted(BENCHMARKS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_plan_compares_both_methods_with_the_same_networks(path: Path):
    cells = read_plan(path)
    configs = [cell["config"] for cell in cells]
    assert {"c3", "imm"} <= {cell["method"] for cell in cells}
    assert {config["method"] for config in configs} == {"c3", "imm"}
    for section, name in (("model", "image_size"), ("training", "batch_size")):
        assert len({config[section][name] for config in configs}) == 1


def test_the_settings_of_a_method_win_over_those_of_the_data_set_and_of_all(
    write_plan, plan_values
):
    faces = {**plan_values["datasets"]["faces"], "settings": {"c3": {"cycle": 2, "inverse": 2}}}
    settings = plan_values["settings"] | {"c3": {"cycle": 1, "inverse": 1, "separation": 1}}
    methods = {"c3": {"c3": {"cycle": 3}}}
    (cell,) = read_plan(write_plan(settings=settings, datasets={"faces": faces}, methods=methods))
    found = cell["config"]["c3"]
    assert (found["cycle"], found["inverse"], found["separation"]) == (3, 2, 1)


def test_a_setup_changes_with_all_that_decides_the_result_and_with_nothing_else(
    write_plan, plan_values
):
    def setups(**change) -> set[str]:
        cells = read_plan(write_plan(**{"methods": {"c3": {}}, **change}))
        return {identity(cell)[-1] for cell in cells}

    faces = plan_values["datasets"]["faces"]
    changes = [
        {},
        {"budget": {"steps": 7}},
        {"score": "fit-folds"},
        {"methods": {"c3": {"c3": {"cycle": 1}}}},
        {"datasets": {"faces": faces | {"fit_images": True}}},
        {"datasets": {"faces": faces | {"normaliser": "box"}}},
    ]
    assert len(set.union(*(setups(**change) for change in changes))) == len(changes)
    assert setups(seeds=[0, 1], methods={"c3": {"training": {"log_every": 1}}}) == setups()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"budget": {"steps": 6, "minutes": 1}}, "budget"),
        ({"budget": {"steps": 0}}, "budget"),
        ({"score": "train"}, "train"),
        ({"sedes": [0]}, "sedes"),
        ({"methods": {"c4": {"method": "c4"}}}, "c4 on faces"),
        ({"settings": {"c3": {"cycel": 1}}}, "cycel"),
    ],
)
def test_what_is_no_plan_is_refused(write_plan, change, words):
    with pytest.raises(InputError, match=words):
        read_plan(write_plan(**change))


def test_recorded_runs_are_read_by_the_settings_of_today():
    for record in read_json_lines(BENCHMARKS / "results" / "quality.jsonl"):
        old, new = record["config"]["c3"], modern(record["config"])["c3"]
        if "swap" in old:  # recorded since it has that name
            assert new == old | {"nearby": old.get("nearby", 0)}
            continue
        weights = (0, old["cycle"]) if old["second_swap"] else (old["cycle"], 0)
        assert (new["swap"], new["cycle"]) == weights
        assert modern(record["config"])["model"]["resize"] == "pad"
