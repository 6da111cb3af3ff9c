"""What is carried to a machine with a GPU."""

import numpy as np
from gpu_pack import copy_annotated, write_weights

from swapmark.points.annotated import read_annotated


def test_an_annotated_set_is_carried_without_its_training_images(data, tmp_path):
    copy_annotated(data / "marked.zip", tmp_path / "marked.zip")
    old, new = (read_annotated(folder / "marked.zip") for folder in (data, tmp_path))
    kept = np.isin(old.points.split, ["fit", "test"])
    assert new.points.files == old.points.take(kept).files
    np.testing.assert_array_equal(new.points.xy, old.points.take(kept).xy)
    assert len({item.read() for item in new.items}) == kept.sum()


def test_the_weights_are_carried_without_their_classifier(tmp_path):
    write_weights(tmp_path / "weights")
    assert (tmp_path / "weights" / "weights.pth").stat().st_size < 5e6
