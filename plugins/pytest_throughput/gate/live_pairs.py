"""Live pairs for the estimator, which takes a value of each side: a live pair has one value, that of its slices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pytest_throughput.gate.estimator import Estimates, estimate
from pytest_throughput.gate.rules import Design, Rules

__all__ = ["estimate_live_pairs", "sides_of"]

Floats = NDArray[np.float64]


def sides_of(differences: Floats) -> tuple[Floats, Floats]:
    """Return values of base and of head for the differences (head minus base) of a case's pairs, of shape (…, pairs).

    What disturbs a trial makes it slower, never faster. So where a pair differs from the median pair, its slower side
    gets the whole deviation, and the outlier rules see it there. NaN stays NaN.
    """
    known = ~np.isnan(differences)
    count = known.sum(axis=-1, keepdims=True)
    middle = np.stack([np.maximum(count - 1, 0) // 2, np.minimum(count // 2, differences.shape[-1] - 1)])
    ordered = np.sort(differences, axis=-1)  # NaN comes last.
    median = sum(np.take_along_axis(ordered, index, axis=-1) for index in middle) / 2
    deviation = differences - median
    return -median / 2 - np.maximum(deviation, 0.0), median / 2 + np.minimum(deviation, 0.0)


def estimate_live_pairs(differences: Floats, rules: Rules) -> Estimates:
    """Compare the sides of live pairs, given their differences (head minus base), of shape (…, cases, pairs)."""
    base, head = (side[..., None] for side in sides_of(differences))
    every = np.ones(differences.shape[-2], dtype=bool)
    return estimate(
        base,
        head,
        design=Design.PAIRS,
        false_alarm_rate=rules.level,
        missed_rate=rules.missed_rate,
        in_turn=every,
    )
