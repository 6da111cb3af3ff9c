"""What the README and the docs tell people to type does what they say."""

import re
import runpy
import shlex
from dataclasses import asdict
from functools import partial
from pathlib import Path

import pytest

import swapmark
from swapmark.cli import app
from swapmark.faces.drawn import draw_faces, save_faces
from swapmark.training.config import Config

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]


def python_blocks(text: str) -> list[str]:
    """The fenced Python blocks of a page."""
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def shell_commands(text: str) -> list[list[str]]:
    """Words of every `swapmark …` line in the code of a page, without pipes and comments."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        if match := re.match(r"\s*(?:\$ )?swapmark (.+)", line):
            words = shlex.split(match[1], comments=True)
            ends = [i for i, word in enumerate(words) if word in ("|", ">", "&&", ";")]
            found.append(words[: min(ends, default=len(words))])
    return found


def documented_commands() -> list[tuple[str, list[str]]]:
    found = []
    for page in PAGES:
        text = page.read_text("utf-8")
        fenced = re.findall(r"^```.*?\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        indented = re.findall(r"^ {4}.*(?:\n|$)", text, re.MULTILINE)
        code = "".join([*fenced, *indented])
        found += [(page.name, words) for words in shell_commands(code)]
    return found


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch):
    code = "".join(python_blocks(README.read_text("utf-8")))
    assert code.startswith("import swapmark\n")
    monkeypatch.chdir(tmp_path)
    # Every folder or archive that the code reads is written the same way: "photos/", "faces.zip".
    for name in set(re.findall(r"[\"']([^\"'\n]+(?:/|\.zip))[\"']", code)):
        save_faces(draw_faces(20, size=64, fit=0.4, test=0.4), tmp_path / name)
    quick = partial(
        swapmark.train, steps=2, training={"batch_size": 4}, overwrite=True, progress=False
    )
    monkeypatch.setattr(swapmark, "train", quick)
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
    assert list(tmp_path.rglob("model.safetensors"))


@pytest.mark.parametrize(("page", "words"), documented_commands())
def test_every_documented_command_is_one_that_swapmark_knows(page, words):
    command, bound, _ = app.parse_args(words, exit_on_error=False, print_error=False)
    assert words[0] in (command.__name__, "--help", "--version")
    assert bound is not None


def test_commands_are_found_in_a_page():
    page = (
        "$ swapmark train photos/ \\\n  --out run  # minutes\nswapmark doctor | head\nmake demo\n"
    )
    assert shell_commands(page) == [["train", "photos/", "--out", "run"], ["doctor"]]


def test_the_readme_names_the_main_commands():
    named = {words[0] for page, words in documented_commands() if page == "README.md"}
    assert {"train", "predict", "evaluate"} <= named


def test_the_page_of_settings_is_that_of_the_code():
    page = runpy.run_path(str(ROOT / "docs" / "make_settings.py"))["settings_page"]()
    for name, value in asdict(Config()).items():
        inner = [f"{name}.{key}" for key in value] if isinstance(value, dict) else [name]
        assert all(f"| `{full}` |" in page for full in inner), f"no docstring: one of {inner}"
    assert (ROOT / "docs" / "settings.md").read_text("utf-8") == page, (
        "run: python docs/make_settings.py"
    )
