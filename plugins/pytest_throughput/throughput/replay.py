"""Commits samples measured elsewhere to the ``benchmark`` fixture, through its documented interface.

pytest-benchmark reads a clock before and after each round. The replay clock is given to it by the
documented ``timer`` of its marker and returns 0, then the seconds of a round, and so on; so its
statistics, table, JSON, storage and comparison are of our samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import pytest

__all__ = ["ReplayClock", "commit", "commit_nothing", "install"]


class ReplayClock:
    """A clock that has already seen everything."""

    __name__ = "replay"

    def __init__(self) -> None:
        self._readings: Iterator[float] = iter(())
        self._used = False

    def use(self) -> None:
        """Raises RuntimeError if the test has measured already: pytest-benchmark keeps one benchmark a test."""
        if self._used:
            raise RuntimeError("a test measures once; parametrize it, or write another test")
        self._used = True

    def load(self, round_seconds: Sequence[float]) -> None:
        """Takes the rounds that the next readings are to show."""
        self._readings = (reading for seconds in round_seconds for reading in (0.0, seconds))

    def __call__(self) -> float:
        return next(self._readings)


class _NotMeasured(Exception):
    pass


def install(item: pytest.Item) -> ReplayClock:
    """Gives the item's ``benchmark`` fixture, which must not exist yet, a clock to be loaded later."""
    clock = ReplayClock()
    marker = item.get_closest_marker("benchmark")
    kept = {} if marker is None else dict(marker.kwargs)
    # pytest-benchmark reads the closest marker alone, so the kept options are repeated in it.
    item.add_marker(pytest.mark.benchmark(**{**kept, "timer": clock}), append=False)
    return clock


def commit(benchmark: Any, clock: ReplayClock, round_seconds: Sequence[float], steps_per_round: int) -> None:
    """Hands one trial's rounds to the fixture.

    Raises RuntimeError if it did not take them as they are: a ``benchmark`` fixture of another
    plugin, or one made before the clock was installed.
    """
    clock.load(round_seconds)
    benchmark.pedantic(_nothing, rounds=len(round_seconds), iterations=steps_per_round)
    taken = benchmark.stats.stats.data if benchmark.stats is not None else None
    if taken != [seconds / steps_per_round for seconds in round_seconds]:
        raise RuntimeError(
            "the 'benchmark' fixture did not take the measured samples; "
            "is another plugin (pytest-codspeed?) providing it? Disable that one with -p no:NAME"
        )


def commit_nothing(benchmark: Any, clock: ReplayClock) -> None:
    """Tells the fixture that the benchmark ran and failed, so that it neither complains nor counts it."""
    clock.load([0.0])
    with suppress(_NotMeasured):
        benchmark.pedantic(_raise)


def _nothing() -> None:
    pass


def _raise() -> None:
    raise _NotMeasured
