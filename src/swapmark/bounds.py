"""Types and bounds of settings, stated on the fields of a frozen dataclass and checked when made.

The bounds are those of `annotated_types`, which pydantic reads too. Checking needs no pydantic, so
that a model is loaded without it.
"""

import math
import operator
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, MultipleOf

NotNegative = Annotated[float, Ge(0)]
Positive = Annotated[float, Gt(0)]
Share = Annotated[float, Ge(0), Le(1)]

# The name of each bound's limit, the rule that value and limit keep, and how it is told.
_BOUNDS = {
    Ge: ("ge", operator.ge, "at least"),
    Gt: ("gt", operator.gt, "more than"),
    Le: ("le", operator.le, "at most"),
    MultipleOf: ("multiple_of", lambda value, step: value % step == 0, "a multiple of"),
}
_NAMES = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def check_bounds(config: Any) -> None:
    """Raise ValueError if a field of a dataclass has another type, or lies outside its bounds.

    The message begins with the name of the field and its value. Every number must be finite; a
    whole number may stand for a fraction.
    """
    for name, (kind, bounds) in _rules(type(config)).items():
        value = getattr(config, name)
        if not _is(value, kind):
            raise ValueError(f"{name} is {value!r}; expected {_named(kind)}")
        finite = not isinstance(value, float) or math.isfinite(value)
        if not (finite and all(holds(value, limit) for limit, holds, _ in bounds)):
            expected = ", ".join(f"{words} {limit}" for limit, _, words in bounds)
            raise ValueError(f"{name} is {value}; expected {expected or 'a finite number'}")


@cache
def _rules(config: type) -> dict[str, tuple[Any, list]]:
    """Of each field its type, and of each bound the limit, the rule and the words."""
    rules = {}
    for name, hint in get_type_hints(config, include_extras=True).items():
        kind, *marks = get_args(hint) if get_origin(hint) is Annotated else [hint]
        bounds = []
        for mark in marks:
            limit, holds, words = _BOUNDS[type(mark)]
            bounds.append((getattr(mark, limit), holds, words))
        rules[name] = kind, bounds
    return rules


def _is(value: Any, kind: Any) -> bool:
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if get_origin(kind) in (Union, UnionType):
        return any(_is(value, choice) for choice in get_args(kind))
    if kind in (int, float):  # True is an int to Python, and no number here
        return isinstance(value, (int, kind)) and not isinstance(value, bool)
    return isinstance(value, kind)


def _named(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(map(str, get_args(kind)))
    if get_origin(kind) in (Union, UnionType):
        return " or ".join(_named(choice) for choice in get_args(kind) if choice is not NoneType)
    return _NAMES.get(kind) or kind.__name__
