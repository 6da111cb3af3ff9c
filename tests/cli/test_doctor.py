import json
import tomllib
from pathlib import Path

from swapmark import __version__
from swapmark.cli import main

ROOT = Path(__file__).resolve().parents[2]


def test_doctor_prints_one_line_a_fact(capsys):
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    for fact in ("python", "torch", "bf16 on cpu", "JPEGs of 640 x 480 a second", "free in"):
        assert fact in printed


def test_doctor_names_every_optional_package(capsys):
    assert main(["doctor", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["environment"]["packages"]
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = pyproject["project"]["optional-dependencies"].values()
    needed = {requirement.partition(">=")[0] for extra in extras for requirement in extra}
    assert needed - listed.keys() == set()


def test_doctor_prints_json_for_programs(capsys):
    assert main(["doctor", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["environment"]["swapmark"] == __version__
