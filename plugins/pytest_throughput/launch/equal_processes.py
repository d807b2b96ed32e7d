"""Measure processes that run equal steps: how far their figures differ is the noise of this machine."""

from __future__ import annotations

import math
import secrets
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pytest_throughput.launch.interpreters import Interpreter
from pytest_throughput.launch.launcher import LauncherConfig, Placement
from pytest_throughput.launch.pairs import STATISTIC, MeasuredApart, measure_in_turn
from pytest_throughput.launch.staging import StagedPath
from pytest_throughput.launch.workers import FreshWorkers
from pytest_throughput.measurement.allocator import SYSTEM, TUNED
from pytest_throughput.measurement.measurement import Measurement
from pytest_throughput.measurement.plan import PLANS
from pytest_throughput.worker.protocol import Outcome, Request

__all__ = ["THREADS", "EqualProcesses", "EqualWorkers", "NotMeasured", "ProcessSource", "measure_equal_processes"]

THREADS = 1
"""A minute does not suffice for several numbers of threads, and one is where noise is least."""
LEAST_ROUNDS = 3
_PLAN = "quick"
_TIMEOUT_SECONDS = 120.0
_STEP = "pytest_throughput.worker.noise_step:open_step"


class NotMeasured(Exception):
    """A process has no figures. The text says why."""


class ProcessSource(Protocol):
    """Measures processes, all of which run the same step. The outcomes are ok; otherwise NotMeasured is raised."""

    def live_pair(self) -> tuple[Outcome, Outcome]:
        """Measure two processes that live together, in turn."""

    def alone(self, allocator: str) -> Outcome:
        """Measure one process from its start to its end."""


@dataclass
class EqualProcesses:
    """The outcomes of processes that ran the same step. Ratios are in logarithms of seconds."""

    live_pairs: list[tuple[Outcome, Outcome]] = field(default_factory=list)
    in_sequence: list[tuple[Outcome, Outcome]] = field(default_factory=list)
    """Two processes each, one after the other."""
    with_system_allocator: list[Outcome] = field(default_factory=list)
    """Processes whose C library does what it does by default; all others keep their memory."""

    @property
    def slice_ratios(self) -> list[float]:
        """The log ratios of neighbouring slices of one process. No slice is in two of them."""
        sides = [[one[f"{STATISTIC}_seconds"] for one in side.metadata["slices"]] for side in self._live()]
        return [math.log(now / then) for side in sides for then, now in zip(side[::2], side[1::2], strict=False)]

    @property
    def sequence_ratios(self) -> list[float]:
        """The log ratios of two processes that were measured one after the other."""
        return [math.log(step_seconds(now) / step_seconds(then)) for then, now in self.in_sequence]

    @property
    def pair_ratios(self) -> list[float]:
        """The log ratios of the sides of live pairs, as the gate takes them."""
        return [math.log(first.metadata["pair"]["ratio"]) for first, _ in self.live_pairs]

    @property
    def processes(self) -> list[Outcome]:
        """All processes."""
        return [*self._live(), *self.kept_memory, *self.with_system_allocator]

    @property
    def kept_memory(self) -> list[Outcome]:
        """The processes that were measured alone and whose C library keeps its memory."""
        return [each for two in self.in_sequence for each in two]

    @property
    def waiting_share(self) -> float | None:
        """The share of the measured time in which the step could have run and had no processor; None if unknown."""
        waited, seconds = 0.0, 0.0
        for measurement in map(measurement_of, self.processes):
            for disturbance, round_seconds in zip(measurement.disturbances, measurement.round_seconds, strict=True):
                if disturbance.longest_wait_seconds is not None:
                    waited += disturbance.longest_wait_seconds
                    seconds += round_seconds
        return waited / seconds if seconds else None

    def _live(self) -> Iterator[Outcome]:
        for pair in self.live_pairs:
            yield from pair


def measure_equal_processes(
    source: ProcessSource,
    seconds: float,
    look: Callable[[], object] = lambda: None,
    clock: Callable[[], float] = time.monotonic,
) -> EqualProcesses:
    """Measure a live pair, two processes one after the other and one with the system's allocator, over and over.

    The last round ends within ``seconds`` if the rounds take equally long; at least three are measured. ``look`` is
    called after each process or pair.
    """
    found = EqualProcesses()
    began_at = clock()
    rounds, elapsed = 0, 0.0
    while rounds < LEAST_ROUNDS or elapsed * (rounds + 1) / rounds <= seconds:
        found.live_pairs.append(source.live_pair())
        look()
        first = source.alone(TUNED)
        look()
        found.in_sequence.append((first, source.alone(TUNED)))
        look()
        found.with_system_allocator.append(source.alone(SYSTEM))
        look()
        rounds, elapsed = rounds + 1, clock() - began_at
    return found


class EqualWorkers:
    """Fresh workers as every trial has them, which run ``worker/noise_step.py`` by the protocol ``quick``."""

    def __init__(self, interpreter: Interpreter) -> None:
        self._placement = Placement(interpreter, trial=1)
        self._request = Request(_STEP, {}, PLANS[_PLAN])
        self._staged = StagedPath([Path(__file__).parents[1]])
        self._launchers = {
            allocator: FreshWorkers(
                LauncherConfig(self._staged, threads=THREADS, allocator=allocator, timeout_seconds=_TIMEOUT_SECONDS)
            )
            for allocator in (TUNED, SYSTEM)
        }

    def live_pair(self) -> tuple[Outcome, Outcome]:
        launcher = self._launchers[TUNED]
        trials = (launcher.start(self._request, self._placement), launcher.start(self._request, self._placement))
        try:
            first, second = measure_in_turn(trials, group_id=secrets.token_hex(8))
        except MeasuredApart as apart:
            raise NotMeasured(f"no live pair: {apart}") from None
        return _measured(first), _measured(second)

    def alone(self, allocator: str) -> Outcome:
        outcome, _ = self._launchers[allocator].run(self._request, self._placement)
        return _measured(outcome)

    def close(self) -> None:
        """End the workers, and remove what they imported."""
        for launcher in self._launchers.values():
            launcher.close()
        self._staged.remove()


def _measured(outcome: Outcome) -> Outcome:
    if outcome.measurement is None:
        raise NotMeasured(outcome.reason or outcome.status)
    return outcome


def measurement_of(outcome: Outcome) -> Measurement:
    """Return the figures of a process that has some."""
    assert outcome.measurement is not None
    return outcome.measurement


def step_seconds(outcome: Outcome) -> float:
    """Return the median seconds per step of a process."""
    return statistics.median(measurement_of(outcome).seconds_per_step)
