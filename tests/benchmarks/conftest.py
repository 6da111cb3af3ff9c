"""What the tests of the benchmarks share: drawn faces in a data folder, and a plan for them."""

from pathlib import Path

import pytest
import yaml

from swapmark.faces.drawn import draw_faces, save_faces


@pytest.fixture(scope="session")
def data(tmp_path_factory) -> Path:
    """A folder with marked.zip, 40 faces of all splits, and other.zip, 24 other faces."""
    folder = tmp_path_factory.mktemp("data")
    save_faces(draw_faces(40, size=32, seed=1, fit=0.25, test=0.25), folder / "marked.zip")
    save_faces(draw_faces(24, size=32, seed=2, fit=0, test=0), folder / "other.zip")
    return folder


@pytest.fixture(scope="session")
def plan_values() -> dict:
    """The plan of a comparison that takes seconds, as in its YAML file."""
    model = {"backbone": "plain", "backbone_width": 4, "image_size": 32, "landmarks": 4}
    return {
        "budget": {"steps": 6},
        "settings": {"model": model, "training": {"batch_size": 4, "precision": "float32"}},
        "datasets": {"faces": {"train": ["marked.zip"], "annotated": {"drawn": "marked.zip"}}},
        "methods": {"imm": {"method": "imm"}, "c3": {}},
    }


@pytest.fixture
def write_plan(plan_values, tmp_path):
    """Writes the plan with some of it changed, and gives its path."""

    def write(**changes) -> Path:
        path = tmp_path / "plan.yaml"
        path.write_text(yaml.safe_dump(plan_values | changes, sort_keys=False), encoding="utf-8")
        return path

    return write
