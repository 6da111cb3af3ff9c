"""The report: all that it promises is there, of few, grey and odd pictures too."""

import re
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch

import swapmark
from swapmark.cli import main
from swapmark.errors import InputError
from swapmark.model.model import ModelConfig, SwapModel
from swapmark.model.store import save_model


def headings(path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"(?:src|href)=\"?http", text), "it needs no network"
    assert len(text) < 8 * 2**20
    return re.findall(r"<h2>(.*?)</h2>", text)


def test_the_command_writes_all_sections_and_says_the_verdict(
    tiny_run, tiny_faces, marked, tmp_path, capsys
):
    out = tmp_path / "report.html"
    words = ["report", str(tiny_run.path), str(tiny_faces), "-o", str(out), "--quiet"]
    assert main([*words, "--annotated", str(marked), "--other", "faces"]) == 0
    told = capsys.readouterr()
    assert str(out) in told.out
    assert headings(out) == [
        *("Verdict", "Typical pictures", "The least sure", "Each landmark", "Swaps"),
        *("The average specimen", "Correspondence", "Shapes", "Training"),
        *("Against marks by hand", "Settings", "Commands"),
    ]
    text = out.read_text(encoding="utf-8")
    assert text.count('<section class="landmark">') == 4
    assert "swaps between pictures begin after step 4" in text
    assert "model.backbone" in text
    assert "other run" in text
    assert f"swapmark report {tiny_run.path} {tiny_faces}" in text
    assert main(words) == 2, "it is not written over"
    assert "--overwrite" in capsys.readouterr().err


def test_marks_in_a_table_have_their_pictures_beside_them_and_components_show_their_ends(
    tiny_run, marked, tmp_path
):
    table, out = tmp_path / "marks.csv", tmp_path / "report.html"
    with zipfile.ZipFile(marked) as archive:
        table.write_bytes(archive.read("marks.csv"))
    words = ["report", str(tiny_run.path), str(marked), "--annotated", str(table)]
    words += ["--marked-images", str(marked), "-o", str(out)]
    assert main([*words, "--quiet"]) == 0
    text = out.read_text(encoding="utf-8")
    assert f"--annotated {table} --marked-images {marked}" in text
    for number in (1, 2, 3):
        _, ends = text.split(f"<h3>PC{number}:", 1)
        scores = re.findall(r"<figcaption>([+-]\d\.\d\d) ", ends.split("</div>", 1)[0])
        assert len(scores) == 6
        assert (numbers := [float(score) for score in scores]) == sorted(numbers)
        assert numbers[0] < 0 < numbers[-1]


def model(folder, landmarks: int):
    torch.manual_seed(0)
    widths = dict.fromkeys(("backbone_width", "landmark_width", "appearance_width"), 4)
    config = ModelConfig(landmarks=landmarks, image_size=32, backbone="plain", **widths)
    save_model(folder / "model", SwapModel(replace(config, decoder_width=8)), "# Card")
    return swapmark.load(folder / "model", device="cpu")


@pytest.mark.parametrize(
    ("landmarks", "pictures"),
    [
        (1, np.random.default_rng(0).integers(0, 256, (3, 40, 30, 3), dtype=np.uint8)),
        (50, np.random.default_rng(0).integers(0, 256, (2, 32, 32), dtype=np.uint8)),
        (3, np.full((4, 32, 32), 128, np.uint8)),
    ],
)
def test_odd_models_and_pictures_get_sensible_words(landmarks, pictures, tmp_path):
    out = tmp_path / "report.html"
    made = model(tmp_path, landmarks).report(pictures, out)
    assert made.verdict.startswith("Look at this:")
    found = headings(out)
    assert "Swaps" in found
    assert ("The average specimen" in found) == (landmarks > 1)
    text = out.read_text(encoding="utf-8")
    assert f"{len(pictures)} pictures are few" in text or "pictures differ" in text
    assert "nan" not in re.sub(r"base64,[^\"]*", "", text).lower()


def test_without_what_paints_the_rest_is_there(tiny_onnx, tiny_faces, tmp_path):
    out = tmp_path / "report.html"
    swapmark.load(tiny_onnx).report(tiny_faces, out)
    assert "Each landmark" in headings(out)
    assert "cannot paint" in out.read_text(encoding="utf-8")


def test_one_picture_is_refused_and_damaged_ones_are_listed(tiny_run, photos, tmp_path):
    detector = swapmark.load(tiny_run, device="cpu")
    (photos / "images" / "damaged <b>.png").write_bytes(b"none")
    made = detector.report(photos, tmp_path / "report.html")
    text = made.path.read_text(encoding="utf-8")
    assert "damaged &lt;b&gt;.png" in text
    with pytest.raises(InputError, match="Only one picture"):
        detector.report([np.zeros((32, 32, 3), np.uint8)], tmp_path / "other.html")
    assert not (tmp_path / "other.html").exists()


def test_a_run_that_was_stopped_is_told(tiny_run, tiny_faces, tmp_path):
    import shutil

    run = shutil.copytree(tiny_run.path, tmp_path / "run")
    (run / "checkpoints" / "step-0000040.pt").unlink()
    made = swapmark.load(run, device="cpu").report(tiny_faces, tmp_path / "report.html")
    assert "step 20 of 40" in made.path.read_text(encoding="utf-8")
