import pytest
from PIL import Image

from swapmark.cli import main


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "points.csv").write_text("file,split,nose_x,nose_y\na.png,fit,1.5,2\n")
    (tmp_path / "images").mkdir()
    Image.new("L", (40, 30)).save(tmp_path / "images" / "a.png")
    return tmp_path


def convert(*words) -> int:
    return main(["convert", *map(str, words)])


def test_the_new_file_is_named_and_what_is_lost_is_told(folder, capsys):
    target = folder / "points.tps"
    assert convert(folder / "points.csv", target, "--images", folder / "images") == 0
    assert target.read_text() == "LM=1\n2 27.5\nIMAGE=a.png\nID=0\n"
    printed = capsys.readouterr()
    assert printed.out == f"1 image, 1 point each: {target}\n"
    lost = printed.err.splitlines()
    assert len(lost) == 2
    assert all(line.startswith("Not in points.tps: ") for line in lost)


def test_formats_can_be_named(folder, capsys):
    assert convert(folder / "points.csv", folder / "dlc.csv", "--to", "dlc") == 0
    assert (folder / "dlc.csv").read_text().startswith("scorer,swapmark")
    assert convert(folder / "dlc.csv", folder / "points.json", "--from", "dlc") == 0
    assert convert(folder / "dlc.csv", folder / "b.json", "--from", "csv") == 2
    assert "dlc.csv" in capsys.readouterr().err


def test_shapes_are_not_taken_for_pixels(folder, capsys):
    (folder / "points.csv").write_text("file,a_x,a_y,b_x,b_y\na.png,0.1,-0.4,-0.2,0.3\n")
    assert convert(folder / "points.csv", folder / "out.json") == 2
    assert "shapes" in capsys.readouterr().err
    assert not (folder / "out.json").exists()


def test_an_existing_file_is_kept_unless_told_otherwise(folder, capsys):
    (folder / "points.json").write_text("precious")
    assert convert(folder / "points.csv", folder / "points.json") == 2
    assert "points.json" in capsys.readouterr().err
    assert (folder / "points.json").read_text() == "precious"
    assert convert(folder / "points.csv", folder / "points.json", "--overwrite") == 0
    assert (folder / "points.json").read_text().startswith("{")
