"""The verbs of a detector."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import swapmark
from swapmark.errors import InputError, RunError


def test_own_points_are_found_alike_by_the_fit_by_name_and_by_map(
    tiny_run, tiny_onnx, faces, marked, tmp_path
):
    run = shutil.copytree(tiny_run.path, tmp_path / "run")
    named = swapmark.load(run, device="cpu").fit_points(marked, draws=1)
    assert named.names == faces.points.names
    assert all(name in repr(named) for name in named.names)
    assert named.fit.counts["specimens"] == 15
    path = named.save("face")
    assert path == run / "points" / "face.json"
    expected = named.predict(faces.images)
    assert expected.names == named.names
    for source, points in ((run, "face"), (run, named.point_map), (tiny_onnx, named.point_map)):
        again = swapmark.load(source, device="cpu", points=points)
        assert again.names == named.names
        found = again.predict(faces.images)
        assert np.allclose(found.xy, expected.xy, atol=0.02 if source is tiny_onnx else 1e-9)
    with pytest.raises(InputError, match=r"face\.json"):
        named.save("face")
    other = shutil.copytree(Path(swapmark.__file__).parent / "models" / "faces", tmp_path / "other")
    with pytest.raises(RunError):
        swapmark.load(other, points=named.point_map)


def test_a_video_is_searched_frame_by_frame_for_own_points(tiny_run, marked, film):
    video = film("fit.mkv", [(20 + index, 30) for index in range(3)])
    found = swapmark.load(tiny_run).fit_points(marked, draws=1).predict(video)
    assert found.frame.tolist() == [0, 1, 2]
    assert "nose" in found.names


def test_a_detector_of_own_points_evaluates_its_landmarks(tiny_run, marked):
    detector = swapmark.load(tiny_run)
    named = detector.fit_points(marked, draws=1)
    few = {"bootstrap": 10, "draws": 1}
    assert named.evaluate(marked, **few).metrics() == detector.evaluate(marked, **few).metrics()


def test_points_are_kept_in_a_folder_alone(tiny_run, tiny_onnx, marked):
    with pytest.raises(InputError, match="fit_points"):
        swapmark.load(tiny_run).save("face")
    for source in ("faces", tiny_onnx):
        with pytest.raises(InputError, match=str(source)):
            swapmark.load(source).fit_points(marked, draws=1).save("face")


def test_scores_belong_into_the_run_or_here(tiny_run, tiny_onnx, tmp_path):
    detector = swapmark.load(tiny_run)
    place = tiny_run.path / "evaluation" / "wings" / "metrics.json"
    for annotated in (tmp_path / "wings.zip", tmp_path / "wings" / "marks.csv", "wings.tps"):
        assert detector.metrics_path(annotated) == place
    expected = Path(f"{tiny_onnx.stem}-evaluation-wings.json")
    assert swapmark.load(tiny_onnx).metrics_path("data/wings.zip") == expected


@pytest.mark.parametrize("verb", ["evaluate", "fit_points"])
@pytest.mark.parametrize(
    "change", [{"split": ("train",) * 30}, {"xy": np.full((30, 5, 2), np.nan)}]
)
def test_a_table_without_a_mark_to_use_is_told(verb, change, tiny_run, faces, tmp_path):
    replace(faces.points, **change).save(tmp_path / "marks.csv")
    for name, image in zip(faces.points.files, faces.images, strict=True):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(tmp_path / name)
    with pytest.raises(InputError, match="30 images none"):
        getattr(swapmark.load(tiny_run), verb)(tmp_path)
