"""Means over seeds with their 95 % intervals."""

from statistics import mean, stdev

# Two-sided 95 % quantiles of Student's t for 1 to 10 degrees of freedom.
_T = (12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281)


def half_width(values: list[float]) -> float | None:
    """Half of the 95 % t-interval of the mean; None for a single value, which has none.

    Above 11 values the interval is that of 11, which is a little too wide.

    >>> round(half_width([1.0, 2.0, 3.0]), 3)
    2.484
    """
    if len(values) < 2:
        return None
    quantile = _T[min(len(values) - 1, len(_T)) - 1]
    return quantile * stdev(values) / len(values) ** 0.5


def with_interval(values: list[float], digits: int = 2, *, sign: bool = False) -> str:
    """The mean ± half the interval, or the mean alone.

    >>> with_interval([1.0, 2.0, 3.0]), with_interval([7.125], digits=1)
    ('2.00 ± 2.48', '7.1')
    """
    half = half_width(values)
    shown = f"{mean(values):{'+' if sign else ''}.{digits}f}"
    return shown if half is None else f"{shown} ± {half:.{digits}f}"
