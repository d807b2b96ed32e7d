"""Means and standard deviations with their confidence intervals."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Deviation", "deviation_about_zero", "geometric_mean_interval"]

_LARGEST_LOGARITHM = 700.0
"""The largest logarithm whose exponential fits into a float."""


def geometric_mean_interval(
    values: Sequence[float], confidence: float = 0.95
) -> tuple[float, float | None, float | None]:
    """Return the geometric mean, and the lower and upper end of its t interval of the logarithms.

    The values are positive and independent: one for each trial. With fewer than two values the ends are None. Raise
    ValueError without values.
    """
    if not values:
        raise ValueError("expected at least one value")
    if len(values) < 2:
        return values[0], None, None
    logarithms = [math.log(value) for value in values]
    mean = statistics.fmean(logarithms)
    # Imported here: it takes 0.2 s, which a run that measures nothing need not wait for.
    from scipy.special import stdtrit

    standard_error = statistics.stdev(logarithms) / math.sqrt(len(values))
    margin = float(stdtrit(len(values) - 1, 0.5 + confidence / 2)) * standard_error
    return math.exp(mean), math.exp(mean - margin), math.exp(min(mean + margin, _LARGEST_LOGARITHM))


@dataclass(frozen=True)
class Deviation:
    """A standard deviation that was estimated, and its confidence interval."""

    value: float
    low: float
    high: float
    count: int
    """The number of values that it was estimated from."""


def deviation_about_zero(values: Sequence[float], confidence: float = 0.95) -> Deviation:
    """Return the standard deviation of values whose mean is known to be zero, such as log ratios of equal things.

    The interval is that of independent, normally distributed values: their sum of squares ÷ variance has a chi-squared
    distribution, with as many degrees of freedom as there are values. Raise ValueError without values.
    """
    if not values:
        raise ValueError("expected at least one value")
    from scipy.special import chdtri

    count = len(values)
    squares = math.fsum(value**2 for value in values)
    low, high = (math.sqrt(squares / chdtri(count, tail)) for tail in (0.5 - confidence / 2, 0.5 + confidence / 2))
    return Deviation(math.sqrt(squares / count), low, high, count)
