"""The command `swapmark`: one file a command, each a thin skin over one public Python call.

A command's module is imported only when it runs, and imports what is slow (torch) inside its
function, so that `swapmark --help` answers at once.
"""

import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from cyclopts import App, CycloptsError, UnusedCliTokensError

from swapmark import __version__
from swapmark.errors import LeftOutWarning, SwapmarkError

COMMANDS = {
    "demo": "Draw faces, learn their landmarks, evaluate them: minutes on a laptop.",
    "train": "Learn landmarks from a folder or archive of images, without annotation.",
    "predict": "Find the learned landmarks in images and write them as a table.",
    "fit": "Fit your own points, marked in a few images, to the learned landmarks.",
    "evaluate": "Measure learned landmarks against points marked by hand.",
    "export": "Write a trained detector as an ONNX file or a Hugging Face model.",
    "convert": "Turn points from one file format into another, and say what is lost.",
    "doctor": "Check this machine: versions, devices, disk, decoding, and what is wrong.",
}
"""Each command and its line in `swapmark --help`: the first line of the command's docstring."""

USAGE_ERROR = 2
INTERRUPTED = 130


def build_app(tokens: Sequence[str] = ()) -> App:
    """The application with every command, none of them imported yet.

    A command named in `tokens` shows its own docstring as help; the others their line in COMMANDS.

    >>> "train" in list(build_app())
    True
    """
    app = App(
        name="swapmark",
        help="Learn landmarks from unmarked images by swapping appearance and pose between them.",
        version=__version__,
        suppress_keyboard_interrupt=False,
        result_action="return_none",
    )
    for position, (name, summary) in enumerate(COMMANDS.items()):
        app.command(
            f"swapmark.cli.{name}:{name}",
            name=name,
            help=None if name in tokens else summary,
            sort_key=position,
        )
    return app


def main(tokens: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    0 is success, 2 something the user can act on (told without a traceback), 130 Ctrl-C.
    Raises SystemExit(2) for a command or option that does not exist.
    """
    tokens = sys.argv[1:] if tokens is None else list(tokens)
    # Threads of torch that wait for one another spin; on a CPU with other work that made training
    # ten times slower. Spinning briefly costs 5 % on an idle one. Must be set before torch loads.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    try:
        with _left_out_as_notes():
            build_app(tokens)(tokens, exit_on_error=False)
    except UnusedCliTokensError:  # cyclopts has told which
        print(f"swapmark: {_about_unused(tokens)}", file=sys.stderr)
        sys.exit(USAGE_ERROR)
    except CycloptsError:
        sys.exit(USAGE_ERROR)
    except SwapmarkError as error:
        print(f"swapmark: {error}", file=sys.stderr)
        return USAGE_ERROR
    except ModuleNotFoundError as error:
        package = (error.name or "swapmark").partition(".")[0]
        if package == "swapmark":
            raise
        print(
            f"swapmark: This command needs the package {package}, which is not installed. Install "
            f"swapmark with all it depends on: pip install swapmark",
            file=sys.stderr,
        )
        return USAGE_ERROR
    except KeyboardInterrupt:
        print("swapmark: stopped.", file=sys.stderr)
        return INTERRUPTED
    return 0


@contextmanager
def _left_out_as_notes() -> Iterator[None]:
    """Tell what was read past in a file as a note, without Python's place in the code."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", LeftOutWarning)
        shown = warnings.showwarning

        def show(message, category, *place) -> None:
            if issubclass(category, LeftOutWarning):
                print(f"Note: {message}", file=sys.stderr)
            else:
                shown(message, category, *place)

        warnings.showwarning = show
        yield


def _about_unused(tokens: Sequence[str]) -> str:
    """What may have been meant by a command line of which something was left over."""
    advice = []
    if "--set" in tokens:
        advice.append("join a setting to its value, as in --set model.image_size=64")
    if tokens[0] in ("predict", "train"):
        advice.append("give many pictures as one folder, zip or tar, not as PHOTOS/*.jpg")
    advice.append(f"see swapmark {tokens[0]} --help")
    return f"More was given than {tokens[0]} takes: {'; '.join(advice)}."
