import re
from pathlib import Path

import numpy as np
import pytest

from swapmark.data.cache import load_images
from swapmark.training.notes import training_notes
from swapmark.training.presets import resolve_config

IMAGES = np.random.default_rng(0).integers(0, 256, (30, 32, 32), dtype=np.uint8)
ALIKE = np.concatenate([IMAGES[:2], np.repeat(IMAGES[:1], 28, axis=0)])


@pytest.mark.parametrize(
    ("images", "settings", "told"),
    [
        (IMAGES, {}, []),
        (IMAGES[:19], {}, ["19 images are few"]),
        (ALIKE, {}, ["of 30 images that were compared only 2 differ"]),
        (IMAGES, {"training": {"steps": 80}}, ["with 80 steps the learning rate"]),
        (IMAGES, {"method": "imm", "c3": {"cycle": 0.3}}, ["with the method imm .* c3.cycle"]),
    ],
    ids=["usual", "few", "alike", "short", "idle"],
)
def test_what_will_hardly_work_is_noted(images, settings, told):
    config = resolve_config(config=settings)
    usual = resolve_config(method=config.method)
    notes = training_notes(config, usual, load_images(images, 32), Path("skipped.csv"))
    assert len(notes) == len(told)
    for note, expected in zip(notes, told, strict=True):
        assert re.match(expected, note)
