"""Types and bounds of settings, told by the name of the field."""

from dataclasses import dataclass
from math import inf, nan
from typing import Annotated, Literal

import pytest
from annotated_types import Ge, Le, MultipleOf

from swapmark.bounds import NotNegative, Positive, Share, check_bounds


@dataclass
class Settings:
    count: Annotated[int, Ge(2), Le(8), MultipleOf(2)] = 4
    weight: NotNegative = 0.0
    width: Positive = 0.1
    share: Share = 0.5
    free: float = -1.0
    kind: Literal["pad", "crop"] = "pad"
    path: str | None = None
    on: bool = False


@pytest.mark.parametrize(
    "change",
    [{}, {"count": 2}, {"count": 8}, {"weight": 3}, {"share": 1}, {"path": "a"}, {"kind": "crop"}],
)
def test_what_lies_inside_is_taken(change):
    check_bounds(Settings(**change))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("count", value) for value in (0, 3, 10, 4.0, True, "4", None)),
        *(("weight", value) for value in (-1e-9, inf, nan, "1", False)),
        *(("width", value) for value in (0, 0.0, -1, nan)),
        *(("share", value) for value in (1.1, -0.1)),
        *(("free", value) for value in (inf, -inf, nan)),
        *(("kind", value) for value in ("stretch", None, [])),
        *(("path", 3), ("on", 1), ("on", "no")),
    ],
)
def test_what_lies_outside_is_named_with_its_value(name, value):
    settings = Settings()
    setattr(settings, name, value)
    with pytest.raises(ValueError, match=rf"^{name} is ") as caught:
        check_bounds(settings)
    assert str(value) in str(caught.value)
