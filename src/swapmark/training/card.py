"""The README.md of a model folder: what the model is, and what it was made of.

Its head is YAML that the Hugging Face hub reads, so that a model folder is a repository of it.
"""

import re

import yaml

from swapmark import __version__
from swapmark.training.config import Config
from swapmark.training.run import Run

_HEAD = re.compile(r"\A---\n(.*?)^---\n+", re.DOTALL | re.MULTILINE)
_METHODS = {
    "c3": "C³, cross-image cycle consistency (Xu et al. 2020, arXiv:2007.01053)",
    "imm": "IMM, conditional image generation (Jakab et al. 2018)",
}


def model_card(run: Run, config: Config, step: int) -> str:
    """Markdown that says how the model was trained and how to use it; only what was measured."""
    last = (run.metrics() or [{}])[-1]
    measured = "\n".join(f"| {name} | {value} |" for name, value in last.items())
    size, training = config.model.image_size, config.training
    return with_metadata(f"""# Landmark detector

{config.model.landmarks} landmarks, learned without annotation by {_METHODS[config.method]},
with swapmark {__version__}.

- Input: {size} × {size} px, backbone {config.model.backbone}.
- Trained for {step} of {training.steps} steps of {training.batch_size} images,
  seed {training.seed}.

The landmarks have no names: the same number means the same place in every image. Use:

    import swapmark
    points = swapmark.load("THIS_FOLDER").predict("photos/")

The last line of the training log follows. It holds no score against annotated points: those come
from `swapmark evaluate`.

| metric | value |
|---|---|
{measured}
""")


def with_metadata(card: str, *, license: str | None = None) -> str:
    """The card with the YAML head that the Hugging Face hub reads, in place of any it had.

    `license` is one of the hub's identifiers; what the old head says, else `unknown`: weights are
    bound by the terms of the pictures they were learned from, which swapmark cannot know.
    """
    head = _HEAD.match(card)
    old = re.search(r"^license: *(\S+)", head[1], re.MULTILINE) if head else None
    values = {
        "license": license or (old[1] if old else "unknown"),
        "library_name": "swapmark",
        "pipeline_tag": "keypoint-detection",
        "tags": ["swapmark", "keypoint-detection", "landmarks", "unsupervised"],
    }
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
    return f"---\n{text}---\n\n{card[head.end() :] if head else card}"
