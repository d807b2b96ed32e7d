"""The mean of a case over its trials, with its confidence interval."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

__all__ = ["geometric_mean_interval"]

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
    logarithms = [math.log(value) for value in values]
    mean = statistics.fmean(logarithms)
    if len(values) < 2:
        return math.exp(mean), None, None
    # Imported here: it takes 0.2 s, which a run that measures nothing need not wait for.
    from scipy.special import stdtrit

    standard_error = statistics.stdev(logarithms) / math.sqrt(len(values))
    margin = float(stdtrit(len(values) - 1, 0.5 + confidence / 2)) * standard_error
    return math.exp(mean), math.exp(mean - margin), math.exp(min(mean + margin, _LARGEST_LOGARITHM))
