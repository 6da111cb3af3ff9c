"""Archives as MTFL's and CelebA's, of drawn dots: a mark lies where its dot does."""

import io
import zipfile

import numpy as np
import prepare_faces
import pytest
from PIL import Image

from swapmark.errors import InputError
from swapmark.points.annotated import read_annotated

AT = np.array([[100, 110], [140, 110], [120, 130], [105, 150], [138, 151]])
"""The middles of the dots, in pixels counted from 1."""


def picture(width: int, height: int, at=AT) -> bytes:
    array = np.zeros((height, width, 3), np.uint8)
    for x, y in at - 1:
        array[y - 2 : y + 3, x - 2 : x + 3] = 255
    file = io.BytesIO()
    Image.fromarray(array).save(file, "JPEG", quality=95)
    return file.getvalue()


@pytest.fixture
def archives(tmp_path, monkeypatch):
    monkeypatch.setattr(prepare_faces, "SETS", tmp_path)
    (tmp_path / "lfw.txt").write_text("Ann_0001 test\nBob_0001 train\n")
    (tmp_path / "aflw.txt").write_text("0001-image1 fit\n")
    (tmp_path / "celeba.txt").write_text("000007 train\n")
    near = AT - [40, 30]
    marks = {"lfw_5590\\Ann_0001": AT, "lfw_5590\\Bob_0001": AT, "AFLW\\0001-image1": near}
    lines = [
        f" {name}.jpg {' '.join(map(str, at.T.ravel()))} 1 2 1 3" for name, at in marks.items()
    ]
    with zipfile.ZipFile(tmp_path / "MTFL.zip", "w") as archive:
        archive.writestr("training.txt", "\n".join(lines[:2]))
        archive.writestr("testing.txt", lines[2])
        for name in ("Ann", "Bob"):
            archive.writestr(f"lfw_5590/{name}_0001.jpg", picture(250, 250))
        archive.writestr("AFLW/0001-image1.jpg", picture(150, 150, near))
    with zipfile.ZipFile(tmp_path / "celeba.zip", "w") as archive:
        archive.writestr("img_align_celeba/000007.jpg", picture(178, 218))
    return tmp_path


@pytest.mark.parametrize("name", ["lfw.zip", "aflw.zip"])
def test_marks_lie_where_their_dots_do(name, archives):
    prepare_faces.main(mtfl=archives / "MTFL.zip", out=archives / "out")
    made = read_annotated(archives / "out" / name)
    shown = made.points.marked.all(axis=1)
    assert [split != "train" for split in made.points.split or ()] == shown.tolist()
    for item, xy in zip(made.items, made.points.xy, strict=True):
        grey = np.asarray(Image.open(io.BytesIO(item.read())).convert("L"), float)
        assert grey.shape == (128, 128)
        for x, y in xy[~np.isnan(xy[:, 0])]:
            left, top = int(x) - 5, int(y) - 5
            part = grey[top : top + 12, left : left + 12] + 1e-9
            rows, columns = np.mgrid[top : top + 12, left : left + 12]
            found = [(columns * part).sum() / part.sum(), (rows * part).sum() / part.sum()]
            assert found == pytest.approx([x, y], abs=0.1)


def test_unlabelled_faces_have_no_table_and_what_is_missing_is_told(archives):
    prepare_faces.main(celeba=archives / "celeba.zip", out=archives / "out")
    with zipfile.ZipFile(archives / "out" / "faces-unlabelled.zip") as made:
        assert made.namelist() == ["images/000007.webp"]
    with pytest.raises(InputError, match=r"lacks 2 of 2 pictures, such as lfw_5590/Ann_0001\.jpg"):
        prepare_faces.main(mtfl=archives / "celeba.zip", out=archives / "out")
