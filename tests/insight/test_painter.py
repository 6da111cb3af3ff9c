"""Swaps, heatmaps and traverses of a whole model, by the verbs of a detector."""

import numpy as np
import pytest
import torch

import swapmark
from swapmark.errors import InputError, RunError
from swapmark.model.store import load_whole_model


@pytest.fixture(scope="module")
def detector(tiny_run):
    return swapmark.load(tiny_run, device="cpu")


@pytest.fixture(scope="module")
def pictures(faces) -> list[np.ndarray]:
    return list(faces.images[:3])


def test_heatmaps_say_where_the_landmarks_are(detector, pictures):
    maps = detector.heatmaps(pictures)
    assert maps.shape == (3, 4, 8, 8)
    assert np.allclose(maps.sum(axis=(2, 3)), 1, atol=1e-5)
    cells = (np.arange(8) + 0.5) * 4 - 0.5  # in pixels of the square, which is the picture
    expected = np.stack([(maps.sum(axis=2) * cells).sum(-1), (maps.sum(axis=3) * cells).sum(-1)])
    assert np.allclose(detector.predict(pictures).xy, np.moveaxis(expected, 0, -1), atol=1e-3)


def test_a_swap_has_the_looks_of_one_and_the_pose_of_the_other(detector, tiny_run, pictures):
    swapped = detector.swap(pictures[:1], pictures)
    assert swapped.shape == (3, 32, 32, 3)
    model = load_whole_model(tiny_run.model)
    images = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        expected = model.decode(model.appearance(images).of([0] * 3), model.pose(images))
    expected = expected.permute(0, 2, 3, 1).numpy() * 255
    assert np.abs(swapped - expected).max() <= 1
    assert np.array_equal(detector.swap(pictures, pictures)[0], swapped[0])
    with pytest.raises(InputError, match="as many of both"):
        detector.swap(pictures[:2], pictures)


def test_a_landmark_that_does_not_move_changes_nothing(detector, pictures):
    moved = detector.traverse([pictures[0]], "landmark_2", [[0, 0], [8, 0]])
    assert np.array_equal(moved[0], detector.swap(pictures[:1], pictures[:1])[0])
    assert not np.array_equal(moved[1], moved[0])
    for wrong in ([], [3, 4], [[0, np.nan]], [[1, 2, 3]]):
        with pytest.raises(InputError, match="expected \\(M, 2\\)"):
            detector.traverse([pictures[0]], "landmark_2", wrong)
    with pytest.raises(InputError, match="landmark_9"):
        detector.traverse([pictures[0]], "landmark_9", [[0, 0]])
    with pytest.raises(InputError, match="3 pictures"):
        detector.traverse(pictures, "landmark_1", [[0, 0]])


def test_a_model_without_what_paints_says_so(detector, tiny_onnx, pictures, tmp_path):
    with pytest.raises(RunError, match="run that it is made of"):
        swapmark.load(tiny_onnx).swap(pictures, pictures)
    hub = detector.save_hub(tmp_path / "hub")
    with pytest.raises(RunError, match="cannot paint"):
        swapmark.load(hub).heatmaps(pictures)


def test_parts_are_what_lies_around_a_point(detector, tmp_path):
    from PIL import Image

    rng = np.random.default_rng(0)
    large = rng.integers(0, 256, (90, 120, 3), dtype=np.uint8)
    Image.fromarray(large).save(tmp_path / "a.png")
    (x, y) = detector.predict(tmp_path / "a.png").xy[0, 1]
    crop = detector.parts(tmp_path / "a.png", "landmark_2", size=30, extent=0.25)[0]
    assert crop.shape == (30, 30, 3)
    left, top = np.rint([x + 0.5 - 15, y + 0.5 - 15]).astype(int)
    expected = np.pad(large, ((60, 60), (60, 60), (0, 0)), "edge")
    expected = expected[top + 60 : top + 90, left + 60 : left + 90]
    likeness = np.corrcoef(crop.ravel(), expected.ravel())[0, 1]
    assert likeness > 0.5, "a whole pixel off it would be 0"
    with pytest.raises(InputError, match="extent 0"):
        detector.parts(tmp_path / "a.png", "landmark_2", extent=0)
    (tmp_path / "b.png").write_bytes(b"none")
    with pytest.raises(InputError, match=r"b\.png"):
        detector.parts(tmp_path, "landmark_2")
