"""Observe a step on its device after the rounds: seconds by the device's clock, and how long launching takes.

This takes further steps, so that it does not affect the rounds.
"""

from __future__ import annotations

import statistics
import time
from itertools import repeat
from typing import Dict, List, NamedTuple, Optional

from pytest_throughput.measurement.forks import ending_forked_children
from pytest_throughput.measurement.step import Step
from pytest_throughput.measurement.timing import Clock, undisturbed_interpreter

__all__ = ["observe_device"]

_SINGLE_STEPS = 10
_LEAST_SINGLE_STEPS = 3
_ENOUGH_SECONDS = 1.0
"""Single steps are run for at most so long, beyond the least number of steps: long steps vary little."""
_PIPELINED_ROUNDS = 3


class _Round(NamedTuple):
    """The times of one round, in seconds from its beginning."""

    launching: float
    """The time until the last launch returned."""
    total: float
    """The time until the device had finished."""
    on_device: Optional[float]
    """The time, by the device's clock, between a mark before the first launch and a mark after the last."""


def observe_device(step: Step, steps_per_round: int, *, clock: Clock = time.perf_counter) -> Dict[str, Optional[float]]:
    """Return ``enqueue_ratio`` and ``device_seconds`` of an asynchronous step, and nothing for another step.

    ``enqueue_ratio``: the share of a single step, on a device that idles, in which the host was still launching;
    near 1, the device waits for the host. A step of more than about a thousand kernels fills CUDA's queue, and
    launching then waits for the device: such a step's ratio is too high.

    ``device_seconds``: the seconds of a step by the device's clock, in rounds like those that were measured. They
    include the gaps in which the device waited for the next launch.
    """
    if not step.asynchronous:
        return {}
    with undisturbed_interpreter():
        singles = _singles(step, clock)
        rounds = singles
        if steps_per_round > 1 and step.device_clock is not None:
            rounds = [_round(step, steps_per_round, clock) for _ in range(_PIPELINED_ROUNDS)]
    ratios = [one.launching / one.total for one in singles if one.total > 0.0]
    seconds = [one.on_device / steps_per_round for one in rounds if one.on_device is not None]
    return {
        "enqueue_ratio": statistics.median(ratios) if ratios else None,
        "device_seconds": statistics.median(seconds) if seconds else None,
    }


def _singles(step: Step, clock: Clock) -> List[_Round]:
    found: List[_Round] = []
    while len(found) < _SINGLE_STEPS:
        if len(found) >= _LEAST_SINGLE_STEPS and sum(one.total for one in found) >= _ENOUGH_SECONDS:
            break
        found.append(_round(step, 1, clock))
    return found


def _round(step: Step, steps: int, clock: Clock) -> _Round:
    device = step.device_clock
    before = None if device is None else device.mark()
    with ending_forked_children():
        start = clock()
        for _ in repeat(None, steps - 1):
            step.run()
        output = step.run()
        launched = clock()
        after = None if device is None else device.mark()
        step.wait(output)
        ended = clock()
    on_device = None if device is None else device.seconds_between(before, after)
    return _Round(launched - start, ended - start, on_device)
