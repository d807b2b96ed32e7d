"""Prepare for the rounds: warm a step up, and choose how many steps a round has."""

from __future__ import annotations

import math
import statistics
from typing import List, Sequence

from pytest_throughput.measurement.plan import Plan
from pytest_throughput.measurement.step import Step
from pytest_throughput.measurement.timing import Clock, time_round

__all__ = ["steps_for_a_long_round", "warm_up"]

_SETTLING_WINDOW = 5
"""The number of the latest warm-up steps that are compared with as many steps before them."""
_STILL_WARMING = 0.98
"""Warm-up goes on while the median of a window falls below this share of the one before."""
_MAX_WARM_UP_STEPS = 5000
_MAX_WARM_UP_SECONDS = 5.0
_PIPELINED_ROUND_SECONDS = 0.2
"""Rounds this long make one wait for the device, some 10 µs, and one launch negligible."""
_SYNCHRONOUS_ROUND_SECONDS = 0.002
"""Rounds this long make two readings of the clock, some 0.2 µs, negligible, and are so few that all can be kept."""
_MAX_STEPS_PER_ROUND = 100_000


def warm_up(step: Step, plan: Plan, clock: Clock) -> List[float]:
    """Run the step until it no longer gets faster, or the plan's number of times; return the seconds of each."""
    seconds: List[float] = []
    elapsed_seconds = 0.0
    while len(seconds) < _MAX_WARM_UP_STEPS:
        prepared = len(seconds) >= step.least_warm_up_steps and elapsed_seconds >= plan.min_warm_up_seconds
        if prepared and _is_warm(seconds, elapsed_seconds, plan):
            break
        seconds.append(time_round(step, 1, clock))
        elapsed_seconds += seconds[-1]
    return seconds


def _is_warm(seconds: List[float], elapsed_seconds: float, plan: Plan) -> bool:
    if plan.warm_up_steps is not None:
        return len(seconds) >= plan.warm_up_steps
    if elapsed_seconds >= _MAX_WARM_UP_SECONDS:
        return True
    if len(seconds) < 2 * _SETTLING_WINDOW:
        return False
    before = statistics.median(seconds[-2 * _SETTLING_WINDOW : -_SETTLING_WINDOW])
    return statistics.median(seconds[-_SETTLING_WINDOW:]) >= _STILL_WARMING * before


def steps_for_a_long_round(step: Step, single_seconds: Sequence[float], clock: Clock) -> int:
    """Return the fewest steps that make a round long enough, given the seconds of single ones, the latest last.

    Pipelined steps are faster than single ones, and of very short ones a single reading is mostly the clock's own time.
    """
    least_seconds = _PIPELINED_ROUND_SECONDS if step.asynchronous else _SYNCHRONOUS_ROUND_SECONDS
    steps, seconds = 1, min(single_seconds[-_SETTLING_WINDOW:])
    while seconds < least_seconds and steps < _MAX_STEPS_PER_ROUND:
        # A round too short to be read predicts little about longer ones, so it grows tenfold at most.
        wanted = math.ceil(steps * least_seconds / seconds) if seconds > 0 else 10 * steps
        steps = min(max(wanted, steps + 1), 10 * steps, _MAX_STEPS_PER_ROUND)
        # The shorter of two rounds: a round that was held up would seem long enough.
        seconds = min(time_round(step, steps, clock) for _ in range(2))
    return steps
