"""The power of the gate: which slowdowns are found in so many live pairs, by simulation with the gate's own rules."""

from __future__ import annotations

import math

import numpy as np

from pytest_throughput.gate.decision import decide_live_pairs
from pytest_throughput.gate.rules import Rules

__all__ = ["FOUND", "LARGEST_SLOWDOWN", "MOST_PAIRS", "pairs_needed", "power", "smallest_found"]

FOUND = 0.8
"""The share of runs in which a slowdown has to be found to count as one that is found."""
MOST_PAIRS = 100
"""The most pairs that are tried."""
LARGEST_SLOWDOWN = 9.0
"""The largest slowdown that is tried, as a share of the seconds: ten times as many."""
_RUNS = 300
"""The simulated runs of one power, which is then known to 0.023 where it is 0.8 (one standard error)."""
_SEED = 20261128
_PRECISION = 1.02
"""The ratio of the logarithms between which a slowdown is known when its search ends."""


def power(deviation: float, slowdown: float, pairs: int, cases: int, rules: Rules) -> float:
    """Return the share of runs of so many cases in which the gate finds the slowdown of one of them.

    ``deviation``: the standard deviation of the log ratio of two equal sides of a live pair, which is normally
    distributed. The means of the pairs are left out. ``slowdown``: as a share of the seconds. The same numbers of pairs
    and cases get the same random numbers, so that the power hardly ever falls as the slowdown grows.
    """
    differences = deviation * np.random.default_rng(_SEED).standard_normal((_RUNS, cases, pairs))
    differences[:, 0] -= math.log1p(slowdown)
    return float(decide_live_pairs(differences, rules).regressed[:, 0].mean())


def smallest_found(deviation: float, pairs: int, cases: int, rules: Rules) -> float | None:
    """Return the smallest slowdown, as a share of the seconds, that so many pairs find in 8 of 10 runs.

    Return None if they do not find the largest one that is tried.
    """
    if power(deviation, LARGEST_SLOWDOWN, pairs, cases, rules) < FOUND:
        return None
    missed, found = rules.log_threshold, math.log1p(LARGEST_SLOWDOWN)
    while found > _PRECISION * missed:
        middle = math.sqrt(missed * found)
        if power(deviation, math.expm1(middle), pairs, cases, rules) < FOUND:
            missed = middle
        else:
            found = middle
    return math.expm1(found)


def pairs_needed(deviation: float, slowdown: float, cases: int, rules: Rules) -> int | None:
    """Return the fewest pairs that find the slowdown in 8 of 10 runs; None if the most that are tried do not."""
    if power(deviation, slowdown, MOST_PAIRS, cases, rules) < FOUND:
        return None
    too_few, enough = 1, MOST_PAIRS
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        if power(deviation, slowdown, middle, cases, rules) < FOUND:
            too_few = middle
        else:
            enough = middle
    return enough
