import re
import subprocess
import sys

import pytest

import swapmark
from swapmark.cli import app, main
from swapmark.errors import InputError

VERBS = (
    *(
        "demo",
        "train",
        "predict",
        "mark",
        "fit",
        "evaluate",
        "export",
        "convert",
        "report",
        "transfer",
        "align",
        "shapes",
    ),
    "doctor",
)
SLOW_IMPORTS = {"torch", "accelerate", "matplotlib", "pandas", "numpy", "PIL"}


def printed(capsys, *tokens: str) -> str:
    assert main(tokens) == 0
    return " ".join(re.sub("[│╭╮╰╯─]", " ", capsys.readouterr().out).split())


def test_help_lists_every_command(capsys):
    told = printed(capsys, "--help")
    for name in VERBS:
        first_line = app[name].help.strip().splitlines()[0]
        assert f"{name} {first_line}" in told


@pytest.mark.parametrize("name", VERBS)
def test_a_command_shows_its_examples_and_explains_every_option(name, capsys):
    assert f"swapmark {name} " in printed(capsys, name, "--help").partition("For example:")[2] + " "
    unexplained = [
        argument.name
        for argument in app[name].assemble_argument_collection(parse_docstring=True)
        if argument.show and not argument.parameter.help
    ]
    assert unexplained == []
    told = printed(capsys, name, "--help")
    assert "--no-" not in told
    assert "--empty-" not in told
    assert ("--device " in told) == (name not in ("export", "convert", "shapes", "doctor"))
    assert ("--out -o" in told) == (name not in ("convert", "doctor"))


def test_help_imports_nothing_slow():
    code = (
        f"import sys; from swapmark.cli import main; main(['--help'])\n"
        f"for name in {VERBS!r}: main([name, '--help'])\n"
        f"print('SLOW', sorted({SLOW_IMPORTS!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.endswith("SLOW []\n"), done.stderr


def test_python_dash_m_is_the_same_command():
    done = subprocess.run(
        [sys.executable, "-m", "swapmark", "--version"], capture_output=True, text=True
    )
    assert done.stdout.strip() == swapmark.__version__


@pytest.mark.parametrize(
    ("tokens", "nearest"), [(["docter"], '"doctor"'), (["doctor", "--jsom"], "--json")]
)
def test_an_unknown_word_is_told_the_nearest_one(tokens, nearest, capsys):
    with pytest.raises(SystemExit) as exit_info:
        main(tokens)
    assert exit_info.value.code == 2
    assert f"Did you mean {nearest}?" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (InputError("photos/ is empty."), 2, "photos/ is empty."),
        (KeyboardInterrupt, 130, "stopped."),
    ],
)
def test_what_the_user_can_act_on_is_told_without_a_traceback(
    error, code, told, capsys, monkeypatch
):
    def fail():
        raise error

    monkeypatch.setattr("swapmark.environment.diagnose", fail)
    assert main(["doctor"]) == code
    assert capsys.readouterr().err == f"swapmark: {told}\n"


def test_an_error_of_ours_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr("swapmark.environment.diagnose", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["doctor"])
