"""Decide when enough rounds have been measured: the interval of the median, and the rule that uses it.

The interval decides when to stop. It is not evidence that one run differs from another: rounds of one
process agree with each other better than with those of the next process.
"""

from __future__ import annotations

import math
import statistics
from typing import Optional, Sequence, Tuple

from pytest_throughput.measurement.correlation import independent_count
from pytest_throughput.measurement.plan import Plan

__all__ = ["StoppingRule", "median_interval", "relative_half_width"]

_LEAST_ROUNDS = 50
"""The fewest rounds from which the rule concludes anything: ten may all be of one of a machine's two states."""
_LEAST_WORTH = 12
"""The fewest independent rounds that the rounds must be worth: of fewer, neither noise nor correlation is known."""
_CHECKPOINT_GROWTH = 1.5
"""The growth between the numbers of rounds at which the rule is applied. Few checks limit the bias of stopping early
at a narrow interval."""
_MOST_ROUNDS = 5000
"""The most rounds unless the plan allows more, even before `Plan.min_seconds`: steps may take a microsecond."""
_STABLE_WITHIN = 0.2


def median_interval(
    samples: Sequence[float], confidence: float = 0.95, *, worth: Optional[float] = None
) -> Optional[Tuple[float, float]]:
    """Return a distribution-free interval of the median, from order statistics.

    The number of independent samples below the median is binomial(n, 1/2), so the k-th smallest and the k-th
    largest bracket it with probability 1 - 2 P(B < k) (David and Nagaraja, *Order Statistics*, 7.1). ``worth``: how
    many independent samples these are worth, by default all of them; the interval then has the ranks, as shares of all
    samples, that it would have in so many.

    Return the lower and upper end, in the samples' unit, or None where there are too few samples
    for that confidence (fewer than 6 at 95 %).
    """
    count = len(samples)
    independent = count if worth is None else min(count, math.floor(worth))
    k = _order_statistic(independent, (1.0 - confidence) / 2.0)
    if k == 0:
        return None
    rank = k * (count + 1) // (independent + 1)
    ordered = sorted(samples)
    return ordered[rank - 1], ordered[count - rank]


def _order_statistic(count: int, allowed: float) -> int:
    """Return the largest k for which P(B < k) is at most ``allowed``; 0 where there is none."""
    if count > _MOST_ROUNDS:
        # The normal approximation with its correction for continuity; an exact solution would take minutes.
        deviations = statistics.NormalDist().inv_cdf(1.0 - allowed)
        return max(0, math.floor((count + 1 - deviations * math.sqrt(count)) / 2))
    below, ways = 0, 1
    for k in range(count // 2):
        below += ways
        if below / 2**count > allowed:
            return k
        ways = ways * (count - k) // (k + 1)
    return count // 2


def relative_half_width(samples: Sequence[float], worth: Optional[float] = None) -> float:
    """Return half the 95 % interval of the median, as a share of the median; infinite with too few samples.

    ``worth``: see ``median_interval``.
    """
    interval = median_interval(samples, worth=worth)
    median = statistics.median(samples) if samples else 0.0
    if interval is None or median <= 0.0:
        return math.inf
    return (interval[1] - interval[0]) / 2.0 / median


class StoppingRule:
    """Decides, after each round, whether to go on.

    The reasons to stop are ``target``: there are 50 rounds or more, and the interval of their median, which allows for
    their correlation, is as narrow as asked; ``stable_noise``: the noise no longer changes, and the target is out of
    reach within the plan; ``max_rounds`` and ``time_cap``: the plan's bounds. ``benchmarks/stopping_rule.py`` shows how
    often the interval is right.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._checkpoint = max(plan.min_rounds, _LEAST_ROUNDS)
        self._previous_noise = math.nan

    def reason_to_stop(self, samples: Sequence[float], elapsed_seconds: float) -> Optional[str]:
        """Return why to stop after these rounds (seconds each), or None to measure another."""
        plan, count = self._plan, len(samples)
        if count >= max(plan.max_rounds, _MOST_ROUNDS):
            return "max_rounds"
        if count < plan.min_rounds or elapsed_seconds < plan.min_seconds:
            return None
        if plan.target is not None and count >= self._checkpoint:
            self._checkpoint = math.ceil(count * _CHECKPOINT_GROWTH)
            worth = independent_count(samples)
            if worth >= _LEAST_WORTH and relative_half_width(samples, worth) <= plan.target:
                return "target"
            if self._is_out_of_reach(samples, elapsed_seconds):
                return "stable_noise"
        if count >= plan.max_rounds:
            return "max_rounds"
        if elapsed_seconds >= plan.max_seconds:
            return "time_cap"
        return None

    def _is_out_of_reach(self, samples: Sequence[float], elapsed_seconds: float) -> bool:
        """Return whether the noise no longer changes, and would miss the target even if rounds were independent.

        The interval of independent rounds shrinks as 1/√n. The correlation is not known well enough to predict more.
        """
        assert self._plan.target is not None
        count, width = len(samples), relative_half_width(samples)
        noise, previous = width * math.sqrt(count), self._previous_noise
        self._previous_noise = noise
        stable = abs(noise / previous - 1.0) <= _STABLE_WITHIN if previous > 0.0 else False
        needed = count * (width / self._plan.target) ** 2
        affordable = min(self._plan.max_rounds, count * self._plan.max_seconds / max(elapsed_seconds, 1e-9))
        return stable and needed > affordable
