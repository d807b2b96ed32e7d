"""The correlation of runs with the next ones, as on a machine that is slow for days: it looks like changes."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pytest_throughput.gate.change_points import limited

__all__ = ["correlation_of"]

Floats = NDArray[np.float64]

_LEAST_DEVIATIONS = 1.645
"""Chance exceeds so many standard deviations in 5 % of cases: the 95 % quantile of the normal distribution."""


def correlation_of(series: Sequence[Sequence[Floats]]) -> float | None:
    """Return the mean correlation of a value with the next one, over all series; None where chance explains it.

    ``series``: for each, the values of each of its levels by time. If values are independent of the others of their
    series, the probability that a correlation is returned is about 5 % at most, also where all series resemble each
    other, as cases of the same runs do.
    """
    found = [(_correlation(levels), sum(map(len, levels))) for levels in series]
    deviations = [correlation * math.sqrt(length) for correlation, length in found]
    if not found or statistics.fmean(deviations) <= _LEAST_DEVIATIONS:
        return None
    return min(1.0, statistics.fmean(correlation for correlation, _ in found))


def _correlation(levels: Sequence[Floats]) -> float:
    """Return the correlation of the distances from the levels' means, without the bias that these means give it."""
    distances = np.concatenate([level - level.mean() for level in map(limited, levels)])
    squares = float(distances @ distances)
    if squares == 0:
        return 0.0
    # A mean of n values is so near to them that independent ones seem to be correlated by −1/n.
    return float(distances[1:] @ distances[:-1]) / squares + len(levels) / len(distances)
