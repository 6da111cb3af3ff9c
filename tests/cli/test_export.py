import shlex

import pytest

from swapmark.cli import main
from swapmark.predict.load import load


def test_an_onnx_file_is_written_and_its_difference_told(tiny_run, tmp_path, capfd):
    out = tmp_path / "made" / "faces.onnx"
    assert main(["export", str(tiny_run.path), "--out", str(out)]) == 0
    printed = capfd.readouterr()
    first, second = printed.out.splitlines()
    assert first.startswith(f"{out}: 0.")
    assert second.startswith("Largest difference to torch: ")
    assert second.endswith(" px (at most 0.01 is allowed)")
    assert printed.err == "", "the exporter's notes are kept off the screen"
    assert load(out).landmarks == 4


def test_a_hub_folder_is_written(tiny_run, tmp_path, capsys):
    out = tmp_path / "hub"
    options = ["--format", "hub", "--half", "--license", "mit", "--out", str(out)]
    assert main(["export", str(tiny_run.path), *options]) == 0
    printed = capsys.readouterr().out
    command = shlex.join(["swapmark", "predict", str(out)])
    assert printed.startswith(f"{out}: model.safetensors 0.0")
    assert printed.endswith(f"Next:\n  {command} IMAGES --out hub.csv\n")
    assert (out / "README.md").read_text().startswith("---\nlicense: mit\n")
    assert main(["export", str(tiny_run.path), *options]) == 2
    assert "exists already" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--push", "--license"])
def test_what_is_for_the_hub_alone_is_refused_elsewhere(tiny_run, tmp_path, capsys, option):
    arguments = ["export", str(tiny_run.path), "--out", str(tmp_path / "m.onnx"), option, "jane/x"]
    assert main(arguments) == 2
    assert f"{option} jane/x is for the hub. Add --format hub" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
