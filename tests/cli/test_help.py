import importlib
import subprocess
import sys

import pytest

import swapmark
from swapmark.cli import COMMANDS, build_app, main
from swapmark.errors import InputError

SLOW_IMPORTS = {"torch", "accelerate", "matplotlib", "pandas", "numpy", "PIL"}


def run(code: str) -> str:
    """What a fresh Python prints; the shape checks of the tests are not loaded there."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_help_lists_every_command(capsys):
    assert main(["--help"]) == 0
    printed = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for name, summary in COMMANDS.items():
        assert f"{name} {summary}" in printed


def test_help_imports_nothing_slow():
    code = (
        "import sys; from swapmark.cli import main; main(['--help']); "
        f"print('SLOW', sorted({SLOW_IMPORTS!r} & set(sys.modules)))"
    )
    assert run(code).endswith("SLOW []\n")


def test_help_takes_less_than_half_a_second_of_processor_time():
    # Processor time, and the best of three: other programs on the machine do not count.
    code = (
        "import time; from swapmark.cli import main; main(['--help']); print(time.process_time())"
    )
    assert min(float(run(code).splitlines()[-1]) for _ in range(3)) < 0.5


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_loads_no_torch(name):
    code = (
        f"import sys; from swapmark.cli import main; main(['{name}', '--help']); "
        "print('torch' in sys.modules)"
    )
    assert run(code).endswith("False\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_line_in_help_is_the_first_line_of_the_commands_docstring(name):
    command = getattr(importlib.import_module(f"swapmark.cli.{name}"), name)
    assert command.__doc__.strip().splitlines()[0] == COMMANDS[name]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_shows_its_whole_docstring(name, capsys):
    assert main([name, "--help"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert f"Usage: swapmark {name}" in printed
    assert COMMANDS[name] in printed


def test_python_dash_m_is_the_same_command():
    done = subprocess.run(
        [sys.executable, "-m", "swapmark", "--version"], capture_output=True, text=True
    )
    assert done.stdout.strip() == swapmark.__version__


def test_an_unknown_command_is_told_the_nearest_one(capsys):
    with pytest.raises(SystemExit) as exit_info:
        main(["docter"])
    assert exit_info.value.code == 2
    assert 'Did you mean "doctor"?' in capsys.readouterr().err


def test_an_unknown_option_is_told_the_nearest_one(capsys):
    with pytest.raises(SystemExit) as exit_info:
        main(["doctor", "--jsom"])
    assert exit_info.value.code == 2
    assert "Did you mean --json?" in " ".join(capsys.readouterr().err.split())


def test_an_error_of_the_user_is_told_without_a_traceback(capsys, monkeypatch):
    def fail():
        raise InputError("photos/ holds no image. Name a folder that does.")

    monkeypatch.setattr("swapmark.cli.doctor.doctor", fail)
    assert main(["doctor"]) == 2
    assert capsys.readouterr().err == "swapmark: photos/ holds no image. Name a folder that does.\n"


def test_an_error_of_ours_keeps_its_traceback(monkeypatch):
    def fail():
        raise ZeroDivisionError

    monkeypatch.setattr("swapmark.cli.doctor.doctor", fail)
    with pytest.raises(ZeroDivisionError):
        main(["doctor"])


def test_ctrl_c_ends_with_the_code_of_an_interrupt(capsys, monkeypatch):
    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr("swapmark.cli.doctor.doctor", interrupt)
    assert main(["doctor"]) == 130
    assert capsys.readouterr().err == "swapmark: stopped.\n"


def test_commands_stay_unimported_until_they_run():
    assert "doctor" in list(build_app())
    code = (
        "import sys; from swapmark.cli import build_app; build_app(); "
        "print([name for name in sys.modules if name.startswith('swapmark.cli.')])"
    )
    assert run(code) == "[]\n"


@pytest.mark.parametrize(
    "tokens",
    [
        ["predict", "faces", "a.jpg", "b.jpg", "--out", "x.csv"],
        ["train", "photos", "--out", "run", "--set", "model.image_size", "64"],
    ],
)
def test_what_is_left_over_is_told_with_how_to_write_it(tokens, capsys):
    with pytest.raises(SystemExit) as ended:
        main(tokens)
    assert ended.value.code == 2
    told = capsys.readouterr()
    assert "Unused Tokens" in told.out + told.err
    assert "as one folder, zip or tar" in told.err
    assert ("--set model.image_size=64" in told.err) == ("--set" in tokens)
    assert f"see swapmark {tokens[0]} --help" in told.err
