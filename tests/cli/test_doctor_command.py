import json
import tomllib
from pathlib import Path

from swapmark import __version__
from swapmark.cli import main

ROOT = Path(__file__).resolve().parents[2]


def test_doctor_prints_one_line_a_fact(capsys):
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    for fact in ("python", "torch", "cpu", "free in"):
        assert fact in printed


def test_doctor_prints_json_that_names_every_optional_package(capsys):
    assert main(["doctor", "--json"]) == 0
    environment = json.loads(capsys.readouterr().out)["environment"]
    assert environment["swapmark"] == __version__
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = pyproject["project"]["optional-dependencies"].values()
    needed = {requirement.partition(">=")[0] for extra in extras for requirement in extra}
    assert needed - environment["packages"].keys() == set()
