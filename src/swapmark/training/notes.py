"""What is wrong with the images or settings of a run, as far as it is seen before training."""

from dataclasses import asdict
from pathlib import Path

from swapmark.data.cache import ImageSet
from swapmark.data.items import evenly
from swapmark.errors import InputError, counted
from swapmark.training.config import Config

FEW = 20
"""Fewer images than this hardly show what varies and what does not."""
LOOKED_AT = 64
"""Images that are compared with one another."""


def refuse_one(images: ImageSet) -> None:
    """Raise InputError for a single image, with the reasons why others were not used."""
    if len(images) > 1:
        return
    others = "; ".join(f"{entry.file}: {entry.reason}" for entry in images.skipped[:5])
    reasons = f" Not used: {others}." if others else ""
    raise InputError(
        f"There is only one usable image ({images.names[0]}).{reasons} Landmarks are learned from "
        f"how images differ: give at least 2; some hundreds are usual."
    )


def training_notes(config: Config, usual: Config, images: ImageSet, skipped: Path) -> list[str]:
    """Sentences on images that were left out, few or alike, and on settings without effect.

    `usual` is the preset without settings of its own; `skipped` the list of what was left out.
    """
    found, training = [], config.training
    if left_out := len(images.skipped):
        total = left_out + len(images)
        found.append(f"skipped {left_out} of {total} images; the reasons are in {skipped}.")
    if len(images) < FEW:
        found.append(f"{counted(len(images), 'image')} are few; some hundreds are usual.")
    chosen = evenly(len(images), LOOKED_AT)
    distinct = len({square.tobytes() for square in images.batch(chosen)})
    if distinct <= len(chosen) / 2:
        found.append(
            f"of {len(chosen)} images that were compared only {distinct} differ. Landmarks are "
            f"learned from how images differ."
        )
    if training.steps <= training.warmup:
        found.append(
            f"with {counted(training.steps, 'step')} the learning rate is still rising at the end "
            f"(training.warmup is {training.warmup}). Give more --steps, or a shorter warm-up."
        )
    if config.method != "c3":
        settings, defaults = asdict(config.c3), asdict(usual.c3)
        if idle := [f"c3.{name}" for name in settings if settings[name] != defaults[name]]:
            found.append(f"with the method {config.method} nothing comes of {', '.join(idle)}.")
    return found
