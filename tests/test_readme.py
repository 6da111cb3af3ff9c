"""What the README and the docs tell people to type does what they say."""

import re
import runpy
import shlex
import shutil
from dataclasses import asdict
from functools import partial
from pathlib import Path
from textwrap import dedent

import pytest

import swapmark
from swapmark.cli import app
from swapmark.faces.drawn import draw_faces, save_faces
from swapmark.training.config import Config

ROOT = Path(__file__).resolve().parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]


def python_of(page: Path) -> str:
    """The Python of a page, fenced or indented, as one program."""
    text = page.read_text("utf-8")
    fenced = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    indented = re.findall(r"^    import swapmark\n(?:(?: {4}.*)?\n)*", text, re.MULTILINE)
    return "".join([*fenced, *map(dedent, indented)])


PROGRAMS = [page for page in PAGES if python_of(page).startswith("import swapmark")]


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


@pytest.mark.parametrize("page", PROGRAMS, ids=lambda page: page.name)
def test_the_python_of_a_page_runs(page, tiny_run, tiny_settings, film, tmp_path, monkeypatch):
    """With tiny networks; what exporting and pushing do is tested elsewhere."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_run.path, "runs/first")
    shutil.copy(film("page.mkv", [(20 + index, 30) for index in range(6)]), "mouse.mp4")
    code = python_of(page)
    # Every folder or archive that the code reads is written the same way: "photos/", "faces.zip".
    for name in set(re.findall(r"[\"']([^\"'\n]+(?:/|\.zip))[\"']", code)):
        save_faces(draw_faces(60, size=32, fit=0.5, test=0.5), tmp_path / name)
    quick = partial(swapmark.train, config=tiny_settings, steps=2, progress=False)
    monkeypatch.setattr(swapmark, "train", quick)
    sent = []
    for verb in ("onnx.export_onnx", "hub.push_to_hub"):
        monkeypatch.setattr(f"swapmark.export.{verb}", lambda *_, **__: sent.append(1) or "sent")
    exec(compile(code, page.name, "exec"), {"__name__": "page"})
    assert {path.name for path in tmp_path.rglob("*.*")} >= set(re.findall(r"\w+\.csv", code))
    assert len(sent) == code.count(".export(") + code.count(".push_to_hub(")


def test_the_readme_and_the_quickstart_show_the_python():
    assert {"README.md", "quickstart.md"} <= {page.name for page in PROGRAMS}
    shown = python_of(ROOT / "docs" / "quickstart.md")
    verbs = ("train", "load", "predict", "save", "draw", "to_pandas", "evaluate", "fit_points")
    assert [verb for verb in (*verbs, "export", "push_to_hub") if f".{verb}(" not in shown] == []


@pytest.mark.parametrize(("page", "words"), documented_commands())
def test_every_documented_command_is_one_that_swapmark_knows(page, words):
    command, bound, _ = app.parse_args(words, exit_on_error=False, print_error=False)
    assert words[0] in (command.__name__, "--help", "--version")
    assert bound is not None


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
