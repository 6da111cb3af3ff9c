"""Write docs/settings.md from the docstrings of the settings: python docs/make_settings.py"""

import ast
import dataclasses
import inspect
import textwrap
from itertools import pairwise
from pathlib import Path

from swapmark.data.views import ViewsConfig
from swapmark.model.model import ModelConfig
from swapmark.objectives.c3 import C3Config
from swapmark.training.config import Config, TrainingConfig
from swapmark.training.presets import PRESETS

PAGE = Path(__file__).with_name("settings.md")
SECTIONS = (
    ("", "Of the run", Config),
    ("model.", "The networks", ModelConfig),
    ("views.", "The views of a picture", ViewsConfig),
    ("c3.", "The objective of C³", C3Config),
    ("training.", "The loop", TrainingConfig),
)
HEAD = """\
# Settings

All that a run can be told, with what holds where neither the preset nor you say otherwise, and what
the preset `laptop` says (for `--method imm` it has
[other rates](your-images.md#settings-that-matter)). Few need a change. Give one on the command
line, as often as you like; or a YAML file, such as an edited `config.yaml` of a run; or mappings
in Python:

    swapmark train photos/ --out runs/a --set model.image_size=96 --set views.flip=0
    swapmark train photos/ --out runs/a --config mine.yaml

```python
swapmark.train("photos/", "runs/a", model={"image_size": 96}, views={"flip": 0})
```

*Unit lengths*: a picture is 2 wide and 2 high, whatever its size in pixels. *Ours*: not from the
paper. This page is written by `python docs/make_settings.py` from the docstrings in the code.
"""


def settings_page() -> str:
    """The whole page as Markdown."""
    parts = [HEAD]
    for prefix, heading, section in SECTIONS:
        rows = "\n".join(_rows(prefix, section))
        table = f"| setting | default | `laptop` | what it does |\n|---|---|---|---|\n{rows}"
        parts.append(f"## {heading}\n\n{table}\n")
    return "\n".join(parts)


def _rows(prefix: str, section: type) -> list[str]:
    chosen = PRESETS["laptop"].get(prefix.rstrip("."), {})
    texts = _docstrings(section)
    return [
        f"| `{prefix}{field.name}` | {_shown(field.default)} "
        f"| {_shown(chosen[field.name]) if field.name in chosen else ''} | {texts[field.name]} |"
        for field in dataclasses.fields(section)
        if field.name in texts
    ]


def _docstrings(section: type) -> dict[str, str]:
    """The text under each field of a dataclass, on one line."""
    body = ast.parse(textwrap.dedent(inspect.getsource(section))).body[0].body  # pyright: ignore[reportAttributeAccessIssue]
    return {
        field.target.id: " ".join(text.value.value.split()).replace("|", "\\|")
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr)
    }


def _shown(value: object) -> str:
    """As YAML would have it."""
    words = {True: "true", False: "false", None: "null"}
    return words[value] if isinstance(value, bool | None) else f"{value}"


if __name__ == "__main__":
    PAGE.write_text(settings_page(), encoding="utf-8")
