"""A file that does not give what the model gives is seen."""

import numpy as np
import pytest

from swapmark.errors import ExportError
from swapmark.export.parity import check_parity
from swapmark.predict.load import load
from swapmark.predict.onnx_detector import OnnxDetector


def test_the_difference_is_that_of_the_worst_point_and_batch(tiny_onnx):
    class Other(OnnxDetector):
        def predict_squares(self, squares):
            points, confidence = super().predict_squares(squares)
            points[-1, 2, 1] += 0.004 * (len(squares) == 3)
            return points, confidence

    assert check_parity(tiny_onnx, OnnxDetector(tiny_onnx)) == (0, 0.01)
    difference, bound = check_parity(tiny_onnx, Other(tiny_onnx), half=True)
    assert difference == pytest.approx(0.004)
    assert bound == pytest.approx(0.05), "0.1 px of 64, on a square of 32"


@pytest.mark.parametrize("what", [np.nan, np.inf])
def test_what_is_no_number_is_a_difference(tiny_run, tiny_onnx, monkeypatch, what):
    monkeypatch.setattr(
        OnnxDetector,
        "predict_squares",
        lambda self, squares: (np.full((len(squares), 4, 2), what), np.ones((len(squares), 4))),
    )
    with pytest.raises(ExportError, match="by up to inf px"):
        check_parity(tiny_onnx, load(tiny_run, device="cpu"))


def test_points_of_another_shape_are_refused(tiny_onnx):
    class Other(OnnxDetector):
        def predict_squares(self, squares):
            points, confidence = super().predict_squares(squares)
            return points[:, :3], confidence[:, :3]

    with pytest.raises(ExportError, match=r"shape \(1, 4, 2\) for 1 images; expected \(1, 3, 2\)"):
        check_parity(tiny_onnx, Other(tiny_onnx))
