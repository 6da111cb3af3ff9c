"""What the tests of training share: tiny runs, and comparing two of them."""

from contextlib import contextmanager

import pytest
import torch

from swapmark.training.config import override, parse_settings
from swapmark.training.presets import resolve_config
from swapmark.training.run import Run
from swapmark.training.state import load_checkpoint
from swapmark.training.train import train


@pytest.fixture
def tiny_config(tiny_settings):
    """The configuration of a tiny run with some settings changed."""

    def with_settings(*settings: str):
        return resolve_config(config=override(tiny_settings, parse_settings(settings)))

    return with_settings


@pytest.fixture
def train_tiny(tiny_faces, tiny_settings, tmp_path):
    """Trains a tiny run with some settings changed, into `run` unless told otherwise."""

    def with_settings(*settings: str, images=tiny_faces, out=tmp_path / "run", **arguments) -> Run:
        if not arguments.get("resume"):
            arguments["config"] = override(tiny_settings, parse_settings(settings))
        return train(images, out, **{"progress": False, **arguments})

    return with_settings


@pytest.fixture
def stop_at(monkeypatch):
    """Context in which `act` happens (by default an error) when a run's line of a step is there."""

    @contextmanager
    def at(step: int, act=lambda: 1 / 0):
        real = Run.append_metrics

        def append(self, line):
            real(self, line)
            if line["step"] == step:
                act()

        with monkeypatch.context() as patch:
            patch.setattr(Run, "append_metrics", append)
            yield

    return at


@pytest.fixture(scope="session")
def names():
    """The sorted names in a folder."""
    return lambda folder: sorted(path.name for path in folder.iterdir())


@pytest.fixture(scope="session")
def assert_same_run():
    """Compares two runs bit for bit: last checkpoint, model, and metrics but for the clock."""

    def compare(first: Run, second: Run) -> None:
        one, other = load_checkpoint(first.checkpoints), load_checkpoint(second.checkpoints)
        assert one[1].name == other[1].name
        assert _difference(one[0], other[0]) == []
        for name in ("model.safetensors", "config.json"):
            assert (first.model / name).read_bytes() == (second.model / name).read_bytes()
        assert _without_clock(first) == _without_clock(second)

    return compare


def _without_clock(run: Run) -> list[dict]:
    return [{k: v for k, v in line.items() if k != "seconds"} for line in run.metrics()]


def _difference(one, other, place: str = "") -> list[str]:
    """Where two nested values differ, but for the clock."""
    if isinstance(one, dict) and isinstance(other, dict):
        if one.keys() != other.keys():
            return [f"{place}: {one.keys() ^ other.keys()}"]
        found = [_difference(one[k], other[k], f"{place}.{k}") for k in one if k != "seconds"]
        return [place for places in found for place in places]
    if isinstance(one, list | tuple):
        return _difference(dict(enumerate(one)), dict(enumerate(other)), place)
    same = torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other
    return [] if same else [place]
