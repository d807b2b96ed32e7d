"""A trial under way, in this process or in a worker: it is opened, warmed up, measured slice by slice, and closed."""

from __future__ import annotations

import math
from typing import Callable, Protocol

from pytest_throughput.worker.protocol import Outcome, Progress

__all__ = ["OnProgress", "RunningTrial", "run_to_end"]

OnProgress = Callable[[Progress], object]


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

        For a job, measure until its next phase, or a part of it, has ended.
        """

    def close(self) -> Outcome:
        """Free the target, and return the outcome of the trial."""


def run_to_end(trial: RunningTrial, on_progress: OnProgress = lambda progress: None) -> Outcome:
    """Measure the whole trial: open it, warm it up, measure until nothing is left, close it.

    ``on_progress`` is called after each of these calls but the last one. Meanwhile nothing is measured.
    """
    for call in (trial.open, trial.warm_up):
        progress = call()
        on_progress(progress)
        if progress.is_finished:
            return trial.close()
    while not progress.is_finished:
        progress = trial.measure()
        on_progress(progress)
    return trial.close()
