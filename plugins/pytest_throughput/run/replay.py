"""Commit samples that were measured elsewhere to the ``benchmark`` fixture, through its documented interface.

pytest-benchmark reads a clock before and after each round. The documented ``timer`` of its marker replaces this clock
by the replay clock, which returns 0, then the seconds of a round, and so on. So pytest-benchmark's statistics, table,
JSON, storage and comparison use our samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import pytest

__all__ = ["ReplayClock", "commit", "commit_disabled", "commit_nothing", "install"]

_TWO_MEASUREMENTS = (
    "a test measures once, either with measure_step or measure_isolated, or with pytest-benchmark's benchmark fixture; "
    "move the other measurement to a test of its own"
)


class ReplayClock:
    """A clock that replays the rounds that were measured."""

    __name__ = "replay"

    def __init__(self) -> None:
        self._readings: Iterator[float] = iter(())
        self._used = False

    def use(self, benchmark: Any) -> None:
        """Raise RuntimeError if the test has already measured: pytest-benchmark has one benchmark for each test."""
        __tracebackhide__ = True
        if self._used:
            raise RuntimeError("a test measures once; parametrize it, or write another test")
        # The fixture of another plugin may have neither attribute.
        if getattr(benchmark, "stats", None) is not None or getattr(benchmark, "has_error", False):
            raise RuntimeError(_TWO_MEASUREMENTS)
        self._used = True

    def load(self, round_seconds: Sequence[float]) -> None:
        """Set the rounds that the next readings will show."""
        self._readings = (reading for seconds in round_seconds for reading in (0.0, seconds))

    def __call__(self) -> float:
        """Return the next reading. Raise RuntimeError where the test itself uses the ``benchmark`` fixture."""
        __tracebackhide__ = True
        for reading in self._readings:
            return reading
        raise RuntimeError(_TWO_MEASUREMENTS)


class _NotMeasured(Exception):
    pass


def install(item: pytest.Item) -> ReplayClock:
    """Give the item's ``benchmark`` fixture, which must not exist yet, a clock to be loaded later."""
    clock = ReplayClock()
    marker = item.get_closest_marker("benchmark")
    kept = {} if marker is None else dict(marker.kwargs)
    # pytest-benchmark reads only the closest marker, so the user's options are repeated in it.
    item.add_marker(pytest.mark.benchmark(**{**kept, "timer": clock}), append=False)
    return clock


def commit(benchmark: Any, clock: ReplayClock, round_seconds: Sequence[float], steps_per_round: int) -> None:
    """Commit the rounds of one trial to the fixture.

    Raise RuntimeError if the fixture did not take exactly these rounds: it is the ``benchmark`` fixture of another
    plugin, or was made before the clock was installed.
    """
    clock.load(round_seconds)
    benchmark.pedantic(_nothing, rounds=len(round_seconds), iterations=steps_per_round)
    taken = benchmark.stats.stats.data if benchmark.stats is not None else None
    if taken != [seconds / steps_per_round for seconds in round_seconds]:
        raise RuntimeError(
            "the 'benchmark' fixture did not take the measured samples; "
            "does the test name it before measure_step or measure_isolated? Then leave it out; "
            "is another plugin (pytest-codspeed?) providing it? Then disable that one with -p no:NAME"
        )


def commit_nothing(benchmark: Any, clock: ReplayClock) -> None:
    """Mark the benchmark as run and failed, so that pytest-benchmark neither warns about it nor counts it."""
    clock.load([0.0])
    with suppress(_NotMeasured):
        benchmark.pedantic(_raise)


def commit_disabled(benchmark: Any) -> None:
    """Mark a fixture as used that ``--benchmark-disable`` has disabled.

    Raise RuntimeError if the test has used it before.
    """
    # Imported here: this module is also loaded without pytest-benchmark, to report that it is missing.
    from pytest_benchmark.fixture import FixtureAlreadyUsed

    try:
        benchmark.pedantic(_nothing)
    except FixtureAlreadyUsed:
        raise RuntimeError(_TWO_MEASUREMENTS) from None


def _nothing() -> None:
    pass


def _raise() -> None:
    raise _NotMeasured
