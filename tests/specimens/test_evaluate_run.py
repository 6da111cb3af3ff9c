"""From a run folder and annotated images to metrics.json; the detector is a stand-in."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import swapmark
from swapmark.cli import main
from swapmark.data.items import Skipped
from swapmark.errors import InputError, OutputError
from swapmark.specimens.evaluate_run import metrics_path
from swapmark.training.run import Run
from swapmark.types import Landmarks

COUNT = 60


@pytest.fixture
def marked_folder(tmp_path):
    """Sixty files called images, a third of them each for train, fit and test."""
    folder = tmp_path / "wings.v2"
    (folder / "images").mkdir(parents=True)
    marks = np.random.default_rng(0).uniform(10, 90, (COUNT, 4)).round(2)
    rows = ["file,split,base_x,base_y,tip_x,tip_y"]
    for i in range(COUNT):
        (folder / f"images/{i:02d}.png").write_bytes(b"not decoded here")
        cells = ",".join(map(str, marks[i])) if i != 1 else ",,,"
        rows.append(f"images/{i:02d}.png,{('train', 'fit', 'test')[i % 3]},{cells}")
    (folder / "landmarks.csv").write_text("\n".join(rows))
    return folder, marks.reshape(COUNT, 2, 2)


@pytest.fixture
def detector(monkeypatch, marked_folder):
    """A detector that finds the points themselves, cannot read one image, and keeps its calls."""
    asked = []

    def predict(items, *, progress):
        asked.extend(item.name for item in items)
        names = [item.name for item in items if item.name != "images/02.png"]
        xy = marked_folder[1][[int(name[-6:-4]) for name in names]]
        return Landmarks(
            xy,
            np.ones(xy.shape[:2]),
            tuple(names),
            np.full((len(names), 2), 100),
            (Skipped("images/02.png", "truncated"),),
        )

    module = SimpleNamespace(load=lambda run: SimpleNamespace(predict=predict))
    monkeypatch.setitem(sys.modules, "swapmark.predict.load", module)
    return asked


def test_only_marked_fit_and_test_images_are_looked_at_and_numbers_are_written(
    tmp_path, marked_folder, detector
):
    folder, _ = marked_folder
    run = Run(tmp_path / "run")  # what `swapmark.train` gives is taken as well as its path
    run.path.mkdir()
    result = swapmark.evaluate(run, folder, normaliser="base,tip", draws=2)
    assert detector == [f"images/{i:02d}.png" for i in range(COUNT) if i % 3 and i != 1]
    assert result.forward["imm"].nme == pytest.approx(0, abs=1e-6)
    assert result.missing == ("images/02.png",)
    path = tmp_path / "run" / "evaluation" / "wings.v2" / "metrics.json"
    assert path == metrics_path(tmp_path / "run", folder)
    assert json.loads(path.read_text(encoding="utf-8")) == result.metrics()


def test_an_existing_file_is_kept_unless_told_otherwise(tmp_path, marked_folder, detector):
    out = tmp_path / "numbers.json"
    out.write_text("precious")
    with pytest.raises(InputError, match="overwrite"):
        swapmark.evaluate(tmp_path, marked_folder[0], out=out)
    assert (out.read_text(), detector) == ("precious", [])
    swapmark.evaluate(tmp_path, marked_folder[0], out=out, overwrite=True, draws=1)
    assert "forward.imm.nme" in json.loads(out.read_text(encoding="utf-8"))
    with pytest.raises(OutputError, match=r"numbers\.json/all\.json could not be written.*--out"):
        swapmark.evaluate(tmp_path, marked_folder[0], out=out / "all.json", draws=1)


def test_a_wrong_normaliser_is_told_before_any_image_is_read(tmp_path, marked_folder, detector):
    with pytest.raises(InputError, match="Did you mean 'base'"):
        swapmark.evaluate(tmp_path, marked_folder[0], normaliser="bas,tip")
    assert detector == []


def test_the_command_prints_the_table_and_where_the_numbers_are(
    tmp_path, marked_folder, detector, capsys
):
    out = tmp_path / "m.json"
    command = ["evaluate", str(tmp_path), str(marked_folder[0]), "--draws", "1", "--out", str(out)]
    assert main([*command, "--normaliser", "base,tip"]) == 0
    text = capsys.readouterr().out
    assert "mean shape" in text
    assert "between base and tip" in text
    assert f"Written to {out}" in text
    assert main(command) == 2
    assert "--overwrite" in capsys.readouterr().err


def test_without_draws_the_curve_has_its_last_row_only(tmp_path, marked_folder, detector):
    result = swapmark.evaluate(tmp_path, marked_folder[0], draws=0, bootstrap=0)
    assert [row.draws for row in result.few_shot] == [1]
    assert result.mean_shape.interval is None
