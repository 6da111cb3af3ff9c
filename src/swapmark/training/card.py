"""The README.md of a model folder: what the model is, and what it was made of."""

from swapmark import __version__
from swapmark.training.config import Config
from swapmark.training.run import Run


def model_card(run: Run, config: Config, step: int) -> str:
    """Markdown that says how the model was trained and how to use it; only what was measured."""
    lines = run.metrics()
    last = lines[-1] if lines else {}
    measured = "\n".join(f"| {name} | {value} |" for name, value in last.items())
    method = {
        "c3": "C³, cross-image cycle consistency (Xu et al. 2020, arXiv:2007.01053)",
        "imm": "IMM, conditional image generation (Jakab et al. 2018)",
    }[config.method]
    size, training = config.model.image_size, config.training
    return f"""# Landmark detector

{config.model.landmarks} landmarks, learned without annotation by {method},
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
"""
