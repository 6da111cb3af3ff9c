"""The campaigns: what they harm, what they notice, and how a failed try is repeated."""

import json
from random import Random

import pytest

import campaign
from campaigns import inputs, stops
from campaigns.commands import (
    Failed,
    check_points,
    check_words,
    nothing_changed,
    run_each,
    same_run,
)
from campaigns.damage import damaged, damaged_cells, damaged_json, with_right_sums
from campaigns.material import Material, make_material


@pytest.fixture(scope="module")
def material(tmp_path_factory) -> Material:
    return make_material(tmp_path_factory.mktemp("material"))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "try" / "out").mkdir(parents=True)
    return tmp_path / "try"


@pytest.mark.parametrize("attempt", [inputs.pictures, inputs.archives, stops.killed_cache])
def test_a_short_try_finds_nothing(attempt, material, tiny_run, folder, monkeypatch):
    monkeypatch.setattr(Material, "trained", lambda self: tiny_run.path)
    monkeypatch.setattr(inputs, "AT_ONCE", 20)
    monkeypatch.setattr(inputs, "EACH", 3)
    tries, peak = attempt(material, folder, Random(3))
    assert tries <= 20
    assert peak < inputs.MOST_MEMORY


def test_a_failed_try_is_told_kept_and_repeated_by_its_seed(tmp_path, monkeypatch, capsys):
    def attempt(material, folder, random):
        if random.random() < 0.5:
            (folder / "left.txt").write_text("what was there")
            raise Failed("it broke")
        return 1, 7_000_000

    monkeypatch.setattr(campaign, "CAMPAIGNS", {"broken": (1, attempt)})
    paths = {"keep": tmp_path / "kept", "results": tmp_path / "results.jsonl"}
    assert campaign.main(minutes=0.002, **paths) == 1
    (line,) = map(json.loads, paths["results"].read_text().splitlines())
    seed = min(map(int, line["failed"]))
    assert f"--only broken --seed {seed}" in capsys.readouterr().out
    assert set(line["failed"].values()) == {"it broke"}
    assert len(line["failed"]) < line["tries"]
    assert (line["peak_mb"], line["campaign"]) == (7, "broken")
    assert (tmp_path / "kept" / f"broken-{seed}" / "left.txt").exists()
    assert campaign.main(only="broken", seed=seed, **paths) == 1
    assert len(paths["results"].read_text().splitlines()) == 1, "one try is no result"


@pytest.mark.parametrize(
    ("code", "told"), [(2, " "), (1, "it broke"), (None, "it broke"), (2, "Traceback"), (-9, "")]
)
def test_an_end_without_words_is_noticed(code, told):
    with pytest.raises(Failed):
        check_words(code, told)
    check_words(2, "it broke")
    check_words(0, "")


def test_a_full_disk_is_felt_by_one_command_alone_and_files_elsewhere_are_noticed(folder, tmp_path):
    table = folder / "marks.csv"
    table.write_text("file,a_x,a_y\na.png,5,6\n")
    words = ["convert", table, table.with_suffix(".json")]
    (full,) = run_each([words], folder, file_limit=10)
    (free,) = run_each([words], folder)
    assert (full.code, free.code, words[-1].exists()) == (2, 0, True)
    assert "could not be written" in full.told
    with nothing_changed(tmp_path, folder):
        (folder / "own.txt").touch()
    with pytest.raises(Failed, match=r"other\.txt"), nothing_changed(tmp_path, folder):
        (tmp_path / "other.txt").touch()


def test_runs_and_tables_that_differ_are_noticed(tiny_run, tmp_path):
    same_run(tiny_run.path, tiny_run.path)
    for name in ("model/model.safetensors", "model/config.json", "config.yaml", "metrics.jsonl"):
        other = tmp_path / name.replace("/", "-")
        for path in (other / "model", other):
            path.mkdir(parents=True, exist_ok=True)
        for own in ("model/model.safetensors", "model/config.json", "config.yaml", "metrics.jsonl"):
            (other / own).write_bytes((tiny_run.path / own).read_bytes())
        (other / name).write_text('{"step": 5, "loss": 0}\n')
        with pytest.raises(Failed, match=name):
            same_run(other, tiny_run.path)
    table = tmp_path / "points.csv"
    table.write_text("file,a_x\na.png,1.5\n")
    assert check_points(table) == 1
    table.write_text("file,a_x\na.png,nan\n")
    with pytest.raises(Failed, match="nan"):
        check_points(table)


def test_the_same_seed_does_the_same_harm(material):
    for harm in (
        lambda random: damaged(b"0123456789" * 30, random),
        lambda random: damaged_json('{"a": [1, 2, {"b": 3}], "c": "d"}', random),
        lambda random: damaged_cells("file,a_x,a_y\na.png,1,2\n", random),
    ):
        made = [harm(Random(seed)) for seed in (1, 2, 3, 1)]
        assert made[0] == made[3]
        assert len(set(made)) > 1
    png = next(data for ending, data in material.pictures if ending == "png")
    assert with_right_sums(png) == png
    assert with_right_sums(png[:30] + b"\1" + png[31:]) != png[:30] + b"\1" + png[31:]
