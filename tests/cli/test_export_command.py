import pytest

from swapmark.cli import main


def test_an_onnx_file_is_written_and_its_difference_told(tiny_export):
    """The exporter's own notes are kept off the screen."""
    path, printed = tiny_export
    first, second = printed.splitlines()
    assert first.startswith(f"Written to {path}. ")
    assert second == f"  swapmark predict {path} IMAGES --out points.csv"
    assert path.is_file()


def test_a_hub_folder_is_written(tiny_run, tmp_path, capsys):
    out = tmp_path / "hub"
    words = ["export", str(tiny_run.path), "--format", "hub", "--license", "mit", "-o", str(out)]
    assert main(words) == 0
    assert f"swapmark predict {out} IMAGES" in capsys.readouterr().out
    assert (out / "README.md").read_text().startswith("---\nlicense: mit\n")
    assert main(words) == 2
    assert str(out) in capsys.readouterr().err


def test_a_model_is_pushed_without_a_folder_left_behind(tiny_run, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("swapmark.export.hub.push_to_hub", lambda *_, **__: "https://hub/jane/x")
    words = ["export", str(tiny_run.path), "--format", "hub", "--push", "jane/x"]
    assert main(words) == 0
    assert "https://hub/jane/x" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["--push", "--license"])
def test_what_is_for_the_hub_alone_is_refused_elsewhere(tiny_run, tmp_path, capsys, option):
    arguments = ["export", str(tiny_run.path), "--out", str(tmp_path / "m.onnx"), option, "jane/x"]
    assert main(arguments) == 2
    assert f"{option} jane/x" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
