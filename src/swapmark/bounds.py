"""Types and bounds of settings, stated on the fields of a frozen dataclass and checked when made.

The bounds are those of `annotated_types`, which pydantic reads too. Checking needs no pydantic, so
that a model is loaded without it.
"""

import math
import operator
from dataclasses import astuple
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, MultipleOf

NotNegative = Annotated[float, Ge(0)]
Positive = Annotated[float, Gt(0)]
Share = Annotated[float, Ge(0), Le(1)]

# How each bound is told, and the rule that value and limit keep.
_BOUNDS = {
    Ge: ("at least", operator.ge),
    Gt: ("more than", operator.gt),
    Le: ("at most", operator.le),
    MultipleOf: ("a multiple of", lambda value, step: value % step == 0),
}
_NAMES = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def check_bounds(config: Any) -> None:
    """Raise ValueError if a field of a dataclass has another type, or lies outside its bounds.

    The message begins with the name of the field and its value. Every number must be finite; a
    whole number may stand for a fraction.
    """
    for name, hint in get_type_hints(type(config), include_extras=True).items():
        kind, *marks = get_args(hint) if get_origin(hint) is Annotated else [hint]
        value = getattr(config, name)
        if not _is(value, kind):
            raise ValueError(f"{name} is {value!r}; expected {_named(kind)}")
        bounds = [(*_BOUNDS[type(mark)], *astuple(mark)) for mark in marks]
        finite = not isinstance(value, float) or math.isfinite(value)
        if not (finite and all(holds(value, limit) for _, holds, limit in bounds)):
            expected = ", ".join(f"{words} {limit}" for words, _, limit in bounds)
            raise ValueError(f"{name} is {value}; expected {expected or 'a finite number'}")


def _is(value: Any, kind: Any) -> bool:
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if kind in (int, float):  # True is an int to Python, and no number here
        return isinstance(value, (int, kind)) and not isinstance(value, bool)
    return isinstance(value, kind)


def _named(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(map(str, get_args(kind)))
    return _NAMES.get(kind) or getattr(kind, "__name__", str(kind))
