"""What the tests of the benchmark share: drawn faces in a data folder, and a plan for them."""

from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter

from harness.plan import Plan
from swapmark.faces.drawn import draw_faces, save_faces


@pytest.fixture(scope="session")
def data(tmp_path_factory) -> Path:
    """A folder with marked.zip, 40 faces of all splits, and other.zip, 24 other faces."""
    folder = tmp_path_factory.mktemp("data")
    save_faces(draw_faces(40, size=32, seed=1, fit=0.25, test=0.25), folder / "marked.zip")
    save_faces(draw_faces(24, size=32, seed=2, fit=0, test=0), folder / "other.zip")
    return folder


@pytest.fixture(scope="session")
def plan_values(tiny_settings) -> dict:
    """The plan of a comparison that takes seconds, as in its YAML file."""
    settings = dict(setting.split("=") for setting in tiny_settings)
    return {
        "budget": {"steps": 6},
        "settings": {name: yaml.safe_load(value) for name, value in settings.items()},
        "datasets": {"faces": {"train": ["marked.zip"], "annotated": {"drawn": "marked.zip"}}},
        "methods": {"imm": {"method": "imm"}, "c3": {"method": "c3"}},
    }


@pytest.fixture
def plan(plan_values) -> Plan:
    """The same, read."""
    return TypeAdapter(Plan).validate_python(plan_values)
