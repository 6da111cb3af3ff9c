import json

from swapmark import __version__
from swapmark.cli import main


def test_doctor_prints_one_line_a_fact(capsys):
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    for fact in ("python", "torch", "bf16 on cpu", "JPEGs of 640 x 480 a second", "free in"):
        assert fact in printed


def test_doctor_prints_json_for_programs(capsys):
    assert main(["doctor", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["environment"]["swapmark"] == __version__
