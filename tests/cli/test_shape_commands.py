"""`swapmark align` and `swapmark shapes`."""

import numpy as np
import pytest
from PIL import Image

from swapmark.cli import main
from swapmark.points.formats import read_points

HEADER = "file,species,a_x,a_y,b_x,b_y,c_x,c_y\n"
ROWS = "1.png,p,0,0,4,0,0,3\n2.png,q,1,1,9,1,1,6\n3.png,p,5,5,5,9,2,5\n4.png,q,5,5,,,2,5\n"


@pytest.fixture
def table(tmp_path):
    (tmp_path / "points.csv").write_text(HEADER + ROWS)
    return tmp_path / "points.csv"


def test_pictures_and_their_averages_are_written(tiny_run, photos, tmp_path, capsys):
    (photos / "broken.png").write_text("none")
    words = ["align", str(tiny_run.path), str(photos), "--quiet", "--size", "48", "--out"]
    out = tmp_path / "out"
    assert main([*words, str(out)]) == 0
    printed = capsys.readouterr()
    assert "30 pictures" in printed.out
    assert "broken.png" in printed.err
    names = [path.relative_to(out).as_posix() for path in sorted(out.rglob("*.*"))]
    assert names[:3] == ["average.png", "plain-average.png", "points.csv"]
    assert len(names) == 33
    with Image.open(out / names[-1]) as last, Image.open(out / "average.png") as average:
        assert last.size == average.size == (48, 48)
        assert np.asarray(average).std() > 3
    assert len(read_points(out / "points.csv")) == 30
    assert main([*words, str(out)]) == 2
    assert "average.png exists already" in capsys.readouterr().err
    assert main([*words, str(out), "--overwrite"]) == 0
    assert main([*words, str(photos / "out")]) == 2  # would be among the pictures


def test_groups_come_from_the_column_that_is_named(table, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["shapes", str(table), "--groups", "species", "--out", str(out)]) == 0
    printed = capsys.readouterr()
    assert "3 specimens aligned" in printed.out
    assert printed.err == "Left out 4.png: fewer than 3 points\n"
    assert read_points(out / "aligned.csv").group == ("p", "q", "p")
    assert (out / "components.png").is_file()


def test_a_column_that_is_not_there_is_told_with_those_that_are(table, tmp_path, capsys):
    words = ["shapes", str(table), "--groups", "sex", "--out", str(tmp_path / "out")]
    assert main(words) == 2
    told = capsys.readouterr().err
    assert "'sex'" in told
    assert "species" in told
    assert not (tmp_path / "out").exists()
    assert main(["convert", str(table), str(tmp_path / "p.json")]) == 0
    assert main(["shapes", str(tmp_path / "p.json"), "--groups", "sex", "--out", "out"]) == 2
    assert "coco" in capsys.readouterr().err
