import ast
import doctest
import importlib
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import swapmark

PACKAGE = Path(swapmark.__file__).parent
ROOT = Path(__file__).resolve().parent.parent


def module_names() -> list[str]:
    names = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = ("swapmark", *path.relative_to(PACKAGE).with_suffix("").parts)
        names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return [name for name in names if name != "swapmark.__main__"]


def documented_examples(path: Path) -> int:
    """How many docstrings of a file hold an example, by its source."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = [ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, kinds)]
    return sum(">>> " in text for text in docstrings if text)


def test_importing_the_package_loads_none_of_its_dependencies():
    code = "import sys, swapmark; print(sorted({'torch', 'numpy', 'PIL'} & set(sys.modules)))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert printed.stdout == "[]\n", printed.stderr


@pytest.mark.parametrize("name", swapmark.__all__)
def test_every_public_name_can_be_used(name):
    value = getattr(swapmark, name)
    assert callable(value)
    assert value.__doc__, f"swapmark.{name} has no docstring"
    assert name in dir(swapmark)
    members = [(key, value) for key, value in vars(value).items() if key[0] != "_"]
    for key, member in members if isinstance(value, type) else ():
        if callable(member) or isinstance(member, property):
            assert member.__doc__, f"swapmark.{name}.{key} has no docstring"


def test_an_unknown_name_is_an_error_that_lists_the_known_ones():
    with pytest.raises(AttributeError, match=r"no 'trian'; its public names are .*train"):
        swapmark.trian  # noqa: B018


def test_the_version_is_the_same_wherever_it_is_written():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = next(line for line in changelog.splitlines() if line.startswith("## "))
    assert citation["version"] == swapmark.__version__
    assert newest.split()[1] == swapmark.__version__


@pytest.mark.parametrize("name", module_names())
def test_the_examples_in_the_docstrings_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    examples = [test for test in doctest.DocTestFinder().find(module) if test.examples]
    assert len(examples) == documented_examples(Path(module.__file__)), "an example was not found"
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    for example in examples:
        runner.run(example, out=report.append)
    assert runner.failures == 0, "".join(report)
