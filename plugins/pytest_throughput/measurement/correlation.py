"""How much correlated rounds are worth: a slow second slows all of its rounds, and they are no independent evidence."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from operator import mul
from typing import List, Sequence

__all__ = ["independent_count"]

_LEAST_BATCHES = 20
"""The fewest batches whose correlation is estimated; of fewer, the estimate is mostly chance."""
_LARGEST_CORRELATION = 0.99


def independent_count(samples: Sequence[float], *, standard_errors: float = 2.0) -> float:
    """Return how many independent samples tell as much about the median as these, in their order.

    The variance of the mean of n correlated values is τ times that of independent ones, so they are worth n/τ. Here τ
    is the largest of estimates at several scales: the values are averaged in batches of 1, 2, 4, … as long as there are
    20 of them; τ is the variance of the batches, relative to that of as many independent values, times
    (1 + ρ)/(1 - ρ) for batches that are an autoregressive process with the correlation ρ of neighbours (Law,
    *Simulation Modeling and Analysis*, 9.5.3). ρ is corrected for the bias of short series (Kendall, *Biometrika* 41,
    1954), and raised by ``standard_errors`` of its own, since a short series hides a long correlation. The values are
    ranks, so that a stall counts as one value among others.

    Fewer than 20 samples show no correlation, and are taken to be independent.
    """
    batches = _centred_ranks(samples)
    total = sum(map(mul, batches, batches))
    if total == 0:
        return float(len(samples))
    variance_of_one, length, largest = total / len(samples), 1, 1.0
    while len(batches) >= _LEAST_BATCHES:
        count = len(batches)
        mean = sum(batches) / count
        batches = [value - mean for value in batches]
        squares = sum(map(mul, batches, batches))
        if squares > 0:
            inflation = length * squares / (count - 1) / variance_of_one
            correlation = _raised(sum(map(mul, batches, batches[1:])) / squares, count, standard_errors)
            largest = max(largest, inflation * (1 + correlation) / (1 - correlation))
        batches = [(first + second) / 2 for first, second in zip(batches[::2], batches[1::2])]
        length *= 2
    return len(samples) / largest


def _centred_ranks(samples: Sequence[float]) -> List[float]:
    """Return twice the rank of each sample, less the mean; equal samples share their mean rank."""
    ordered, count = sorted(samples), len(samples)
    return [bisect_left(ordered, sample) + bisect_right(ordered, sample) - count for sample in samples]


def _raised(correlation: float, count: int, standard_errors: float) -> float:
    """Return a correlation of neighbours, estimated from so many values, without its bias and raised."""
    unbiased = max(-1.0, min(1.0, correlation + (1 + 4 * correlation) / count))
    return min(_LARGEST_CORRELATION, unbiased + standard_errors * math.sqrt((1 - unbiased**2) / count))
