"""Detect what a case leaves behind in a process that also measures the next case: work, and changed settings.

Either would falsify the next case unnoticed, since work of this process and its children does not count as a
disturbance.
"""

from __future__ import annotations

import os
import resource
import signal
import time
from typing import Tuple

from pytest_throughput.measurement.descendants import DescendantsClock

__all__ = ["process_settings", "works_on"]

_LOOK_SECONDS = 0.05
_IDLE_SHARE = 0.1
"""A smaller share of one processor does not count as work."""
_MOST_LOOKS = 10
"""Threads of OpenMP spin for up to 0.2 s before they sleep."""


def process_settings() -> Tuple[object, ...]:
    """Return the kernel's settings of this process that a step may change, to compare them with later ones."""
    timers = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
    limits = sorted(getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_"))
    return (
        os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None,
        os.getpriority(os.PRIO_PROCESS, 0),
        signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        [signal.getitimer(timer)[0] > 0.0 for timer in timers],
        [resource.getrlimit(limit) for limit in limits],
    )


def works_on() -> bool:
    """Return whether a thread or a child of this process still works, half a second after it could have ended.

    It takes 50 ms where none works. A thread or child that sleeps meanwhile is not noticed.
    """
    descendants = DescendantsClock()
    used_before = time.process_time() + descendants.read()
    for _ in range(_MOST_LOOKS):
        time.sleep(_LOOK_SECONDS)
        used = time.process_time() + descendants.read()
        if used - used_before < _IDLE_SHARE * _LOOK_SECONDS:
            return False
        used_before = used
    return True
