"""`swapmark evaluate`, from images and marks to a file of numbers."""

import json

import pytest

from swapmark.cli import main


def evaluate(run, annotated, *more) -> int:
    words = ["--draws", "2", "--bootstrap", "20", "--quiet", *map(str, more)]
    return main(["evaluate", str(run), str(annotated), *words])


def test_the_scores_are_printed_and_written(tiny_run, photos, tmp_path, capsys):
    out = tmp_path / "numbers.json"
    assert evaluate(tiny_run.path, photos, "-o", out) == 0
    printed = capsys.readouterr().out
    numbers = json.loads(out.read_text())
    assert f"{numbers['forward.imm.nme']:.2f}" in printed
    assert printed.endswith(f"Written to {out}\n")
    assert numbers["counts"]["fit_images"] == numbers["counts"]["test_images"] == 15
    assert evaluate(tiny_run.path, photos, "-o", out) == 2
    assert str(out) in capsys.readouterr().err
    assert evaluate(tiny_run.path, photos, "-o", out, "--overwrite") == 0


@pytest.mark.parametrize(("words", "scored"), [((), 30), (("--split", "0.5"), 15)])
def test_a_table_without_splits_is_scored_too(tiny_run, photos, tmp_path, words, scored):
    lines = [line.split(",") for line in (photos / "marks.csv").read_text().splitlines()]
    drop = lines[0].index("split")
    table, out = tmp_path / "points.csv", tmp_path / "numbers.json"
    table.write_text("\n".join(",".join(row[:drop] + row[drop + 1 :]) for row in lines))
    assert evaluate(tiny_run.path, table, "--images", photos, "-o", out, *words) == 0
    assert json.loads(out.read_text())["counts"]["test_images"] == scored


def test_a_wrong_name_is_told_before_any_work(tiny_run, photos, tmp_path, capsys):
    out = tmp_path / "numbers.json"
    assert evaluate(tiny_run.path, photos, "-o", out, "--normaliser", "nos,left_eye") == 2
    assert "nose" in capsys.readouterr().err
    assert not out.exists()
