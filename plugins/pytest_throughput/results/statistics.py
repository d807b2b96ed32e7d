"""The mean of a case over its trials, and how well it is known."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from functools import lru_cache

__all__ = ["geometric_mean_interval", "student_t_quantile"]

_LARGEST_LOGARITHM = 700.0
"""The exponential of a larger one does not fit into a float."""


def geometric_mean_interval(
    values: Sequence[float], confidence: float = 0.95
) -> tuple[float, float | None, float | None]:
    """The geometric mean, and the lower and upper end of its t interval on logarithms.

    The values are positive and independent: one of each trial. With fewer than two there is no
    interval. Raises ValueError without values.
    """
    if not values:
        raise ValueError("expected at least one value")
    logarithms = [math.log(value) for value in values]
    mean = statistics.fmean(logarithms)
    if len(values) < 2:
        return math.exp(mean), None, None
    standard_error = statistics.stdev(logarithms) / math.sqrt(len(values))
    margin = student_t_quantile(0.5 + confidence / 2, len(values) - 1) * standard_error
    return math.exp(mean), math.exp(mean - margin), math.exp(min(mean + margin, _LARGEST_LOGARITHM))


@lru_cache(maxsize=1024)
def student_t_quantile(probability: float, degrees_of_freedom: int) -> float:
    """The quantile of Student's t for a whole number of degrees of freedom, by bisection.

    ``0.5 < probability < 1``. Good to 1e-9; scipy belongs to the gate alone, and this is all that
    the measuring part needs of it.
    """
    if not (0.5 < probability < 1 and degrees_of_freedom >= 1):
        raise ValueError(f"no quantile for {probability=}, {degrees_of_freedom=}")
    low, high = 0.0, 1.0
    while _student_t_cdf(high, degrees_of_freedom) < probability:
        high *= 2
    while high - low > 1e-10 * high:
        middle = (low + high) / 2
        if _student_t_cdf(middle, degrees_of_freedom) < probability:
            low = middle
        else:
            high = middle
    return high


def _student_t_cdf(t: float, degrees_of_freedom: int) -> float:
    """P(T < t) for t >= 0: Abramowitz and Stegun, *Handbook of Mathematical Functions*, 26.7.3-4."""
    theta = math.atan2(t, math.sqrt(degrees_of_freedom))
    cosine_squared = math.cos(theta) ** 2
    term = 1.0 if degrees_of_freedom % 2 == 0 else math.cos(theta)
    series = 0.0
    for k in range(degrees_of_freedom % 2, degrees_of_freedom - 1, 2):
        series += term
        term *= cosine_squared * (k + 1) / (k + 2)
    within = math.sin(theta) * series
    if degrees_of_freedom % 2:
        within = 2 / math.pi * (theta + within)
    return (1 + within) / 2
