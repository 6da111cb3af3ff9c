"""What users are told when something cannot go on.

Every message names the thing, the value that was found, what was expected, and what to do next.
"""

import re


class SwapmarkError(Exception):
    """Anything a user can act on; the command line prints it without a traceback."""


class InputError(SwapmarkError):
    """Images, annotations or options that cannot be used as they are."""


class OutputError(SwapmarkError):
    """A file that cannot be written: the disk is full, or the folder is not for writing."""


class RunError(SwapmarkError):
    """A run folder that is missing, incomplete, already there, or from another version."""


class ExportError(SwapmarkError):
    """An exported model that does not give the landmarks of the model it was made from."""


class TrainingError(SwapmarkError):
    """A training run that cannot usefully continue, such as one whose loss is not a number."""


class LeftOutWarning(UserWarning):
    """Something in a file that was read past, such as the curves of a TPS file."""


def one_line(error: Exception) -> str:
    """The beginning of a message: torch, say, lists every tensor that does not fit."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else f"{text[:200]} …"


def shown(text: str) -> str:
    r"""The text as it may go to a terminal: what would steer it, in a file's name say, is escaped.

    >>> shown("a\x1b[2Jb.png")
    'a\\x1b[2Jb.png'
    """
    steers = r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
    return re.sub(steers, lambda found: found[0].encode("unicode_escape").decode(), text)


def counted(count: int, thing: str) -> str:
    """A number and what it counts, as messages say it; things whose plural ends in s.

    >>> counted(1, "image"), counted(2000, "marked image")
    ('1 image', '2,000 marked images')
    """
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
