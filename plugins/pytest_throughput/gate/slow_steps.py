"""Steps that take far longer than others, in live pairs.

A live pair compares the 10th percentiles of its slices, which do not change if one step in five takes three times as
long. The mean of all its steps does, although it is noisier. So the means are compared as well: where they show a
slowdown, a case is ``regressed``, or at least not ``unchanged``. Beside an anchor they can only forbid ``unchanged``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pytest_throughput.gate.estimator import SHARE_FOR_NOISE, estimate
from pytest_throughput.gate.live_pairs import estimate_live_pairs
from pytest_throughput.gate.rules import FEWEST_UNITS, Design, Rules

__all__ = ["SlowSteps", "as_differences", "slow_steps", "suspect_beside_anchor"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class SlowSteps:
    """The comparison of the means of each case's pairs; arrays of shape (…, cases)."""

    difference: Floats
    """Head minus base, in logarithms of speed; NaN where it is unknown."""
    certain: Bools
    """Whether the mean is slower by the threshold or more, and more than noise explains."""
    suspect: Bools
    """Whether the mean is slower by the threshold or more, and 0 is outside its 95 % interval."""


def slow_steps(differences: Floats, rules: Rules, share: float, far: Floats) -> SlowSteps:
    """Compare the means of live pairs, given log(mean speed of head ÷ that of base), of shape (…, cases, pairs).

    A value is NaN where there is none. ``share``: the share of the false-alarm rate that ``certain`` may use.
    ``far``: the logarithm of each case's threshold, of shape (cases).
    """
    known = (~np.isnan(differences)).sum(axis=-1) >= FEWEST_UNITS
    found = estimate_live_pairs(differences, replace(rules, share=share / SHARE_FOR_NOISE * rules.share))
    is_slower = known & (found.difference <= -far)
    is_separable = found.by_separation <= rules.false_alarm_rate / differences.shape[-2]
    comes_and_goes = known & (found.tail_head > 0) & (found.tail_base == 0)
    return SlowSteps(
        difference=np.where(known, found.difference, np.nan),
        certain=is_slower & is_separable & (-found.difference > found.margin),
        suspect=comes_and_goes | (is_slower & (-found.difference > found.half_interval)),
    )


def suspect_beside_anchor(
    base: Floats, head: Floats, design: Design, rules: Rules, far: Floats
) -> tuple[Floats, Bools]:
    """Compare the means of trials beside an anchor, given log(mean speed ÷ that of the anchor), as for ``estimate``.

    Return the differences (NaN where they are unknown), and where a case cannot be ``unchanged``, as ``suspect``.
    ``far``: the logarithm of each case's threshold, of shape (cases).
    """
    found = estimate(base, head, design=design, false_alarm_rate=rules.false_alarm_rate)
    known = found.units >= FEWEST_UNITS
    comes_and_goes = known & (found.tail_head > 0) & (found.tail_base == 0)
    is_slower = known & (found.difference <= -far) & (-found.difference > found.half_interval)
    return np.where(known, found.difference, np.nan), comes_and_goes | is_slower


def as_differences(cases: Sequence[Sequence[float]]) -> Floats:
    """Return the differences of each case as an array of shape (cases, pairs), NaN where there is none."""
    array = np.full((len(cases), max(map(len, cases), default=0) or 1), np.nan)
    for row, values in enumerate(cases):
        array[row, : len(values)] = values
    return array
