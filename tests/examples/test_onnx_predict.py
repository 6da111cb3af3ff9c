"""The example that readers copy gives the points that swapmark gives."""

import csv
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from swapmark.faces.drawn import draw_faces
from swapmark.predict.find import open_network
from swapmark.predict.predict import predict_points

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "onnx_predict.py"
SHAPES = ((90, 90), (61, 90), (90, 41), (33, 32))


@pytest.mark.parametrize("resize", ["pad", "crop"])
def test_it_gives_the_points_of_swapmark_without_swapmark(tiny_onnx, tmp_path, turn, resize):
    model = onnx.load(tiny_onnx)
    next(entry for entry in model.metadata_props if entry.key == "resize").value = resize
    onnx.save(model, tmp_path / "model.onnx")
    pictures = []
    for index, (height, width) in enumerate(SHAPES):
        face = Image.fromarray(draw_faces(1, size=90, seed=index).images[0, :height, :width])
        if index == 2:
            face.putalpha(Image.linear_gradient("L").resize(face.size))
        stored, exif = turn(6 if index == 1 else 1, face)
        pictures.append(tmp_path / f"{index}.png")
        stored.save(pictures[-1], exif=exif)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    code = (
        "import sys; sys.modules.update(dict.fromkeys(('swapmark', 'torch'))); sys.argv.pop(0); "
        "import runpy; runpy.run_path(sys.argv[0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, EXAMPLE, tmp_path / "model.onnx", broken, *pictures],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert f"Left out: {broken}" in done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    printed = np.array([[float(row[key]) for key in ("x", "y", "confidence")] for row in rows])
    found = predict_points(open_network(tmp_path / "model.onnx"), pictures)
    assert found.sizes.tolist() == [[width, height] for height, width in SHAPES]
    assert [row["landmark"] for row in rows] == list(found.names) * len(SHAPES)
    expected = np.concatenate([found.xy, found.confidence[..., None]], axis=-1).reshape(-1, 3)
    assert np.abs(printed - expected).max() < 0.01
