"""Imports only point backwards along the way the data goes, so the package reads front to back."""

import ast
from pathlib import Path

import pytest

import swapmark

PACKAGE = Path(swapmark.__file__).parent
ORDER = (
    *("errors", "atomic", "coordinates", "types", "tables", "data", "formats", "visualization"),
    *("environment", "model", "objectives", "training", "inference", "export", "evaluation"),
    *("points", "demo", "cli", "__main__"),
)
FOUNDATION = {"errors", "atomic", "coordinates", "types"}


def imported_modules(source: str, module: str, *, is_package: bool) -> list[str]:
    """Full names of what a module imports anywhere, also inside functions and type checks."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parts = module.split(".") if is_package else module.split(".")[:-1]
            above = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            origin = ".".join(part for part in (above, node.module) if part)
            # `from swapmark import x`: x may be a stage.
            names += [f"{origin}.{a.name}" if origin == "swapmark" else origin for a in node.names]
    return names


def violations(source: str, module: str, *, is_package: bool = False) -> list[str]:
    """Why a module of swapmark breaks the order; empty if it keeps to it."""
    stage = module.split(".")[1]
    if stage not in ORDER:
        return [f"{module}: give the stage {stage!r} its place in ORDER"]
    found = []
    for name in imported_modules(source, module, is_package=is_package):
        root, _, rest = name.partition(".")
        target = rest.partition(".")[0]
        if root != "swapmark" or target in ("__version__", stage):
            continue
        if stage == "cli" and target in ("", *swapmark.__all__):
            continue  # the last stage may use the package as its users do
        if target not in ORDER:
            found.append(f"{module} imports {name}: import it from the module that defines it")
        elif ORDER.index(target) > ORDER.index(stage):
            found.append(f"{module} imports {name}, which comes after {stage}")
        elif stage == "visualization" and target not in FOUNDATION:
            found.append(f"{module} imports {name}: pictures need only {sorted(FOUNDATION)}")
    return found


def modules() -> dict[str, Path]:
    """Every module of the package but its front door, which names the others lazily."""
    names = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = ("swapmark", *path.relative_to(PACKAGE).with_suffix("").parts)
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    del names["swapmark"]
    return names


@pytest.mark.parametrize(("module", "path"), modules().items(), ids=modules().keys())
def test_a_module_imports_only_what_comes_before_it(module, path):
    source = path.read_text(encoding="utf-8")
    assert violations(source, module, is_package=path.name == "__init__.py") == []


@pytest.mark.parametrize("stage", ["tables", "formats", "visualization", "evaluation", "points"])
def test_a_numpy_stage_names_no_torch(stage):
    for module, path in modules().items():
        if module.split(".")[1] == stage:
            names = imported_modules(
                path.read_text(encoding="utf-8"), module, is_package=path.name == "__init__.py"
            )
            assert not [name for name in names if name.partition(".")[0] == "torch"], module


@pytest.mark.parametrize(
    ("source", "module"),
    [
        ("import swapmark.training.loop", "swapmark.model.flow"),
        ("from swapmark.training import loop", "swapmark.model.flow"),
        ("from swapmark import training", "swapmark.model.flow"),
        ("from swapmark import train", "swapmark.model.flow"),
        ("import swapmark", "swapmark.model.flow"),
        ("from ..training.loop import run", "swapmark.model.flow"),
        ("from .. import training", "swapmark.model.flow"),
        ("def late():\n    from swapmark.cli import main", "swapmark.predict.detector"),
        ("from swapmark.types import Landmarks", "swapmark.errors"),
        ("from swapmark.data.images import decode_image", "swapmark.drawing.draw"),
        ("import numpy", "swapmark.helpers"),
    ],
)
def test_the_checker_sees_a_violation(source, module):
    assert len(violations(source, module)) == 1


@pytest.mark.parametrize(
    ("source", "module"),
    [
        ("from swapmark.model.flow import transfer", "swapmark.training.loop"),
        ("from swapmark.model import blocks", "swapmark.model.flow"),
        ("from . import blocks", "swapmark.model.flow"),
        ("from swapmark import __version__", "swapmark.environment"),
        ("import torch", "swapmark.model.flow"),
        ("import swapmark", "swapmark.cli.evaluate"),
        ("from swapmark import train", "swapmark.cli.train"),
    ],
)
def test_the_checker_lets_a_backward_import_pass(source, module):
    assert violations(source, module) == []


def test_the_checker_resolves_relative_imports_of_a_package():
    assert violations("from ..training import loop", "swapmark.model", is_package=True)
    assert not violations("from .flow import transfer", "swapmark.model", is_package=True)
