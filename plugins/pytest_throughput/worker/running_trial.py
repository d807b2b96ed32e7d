"""A trial under way, in this process or in a worker: it is opened, warmed up, measured slice by slice, and closed."""

from __future__ import annotations

import math
from typing import Protocol

from pytest_throughput.worker.protocol import Outcome, Progress

__all__ = ["RunningTrial", "run_to_end"]


class RunningTrial(Protocol):
    """The calls of a trial, in their order. After a failure, all but ``close`` do nothing.

    An exception of the target becomes the outcome, and no call raises it, except KeyboardInterrupt, and SystemExit of
    a target in this process.
    """

    def open(self) -> Progress:
        """Open the target."""

    def warm_up(self) -> Progress:
        """Run a step's first step and its warm-up."""

    def measure(self, slice_seconds: float = math.inf) -> Progress:
        """Measure a step's rounds until the plan needs no more, or a slice of so many seconds (``MeasuringLoop``).

        For a job of phases, measure the next phase.
        """

    def close(self) -> Outcome:
        """Free the target, and return the outcome of the trial."""


def run_to_end(trial: RunningTrial) -> Outcome:
    """Measure the whole trial: open it, warm it up, measure until nothing is left, close it."""
    if not (trial.open().is_finished or trial.warm_up().is_finished):
        while not trial.measure().is_finished:
            pass
    return trial.close()
