"""The measuring loop: first step, warm-up, rounds in one slice or several, latency."""

from __future__ import annotations

import gc
import math
import statistics
import time
from typing import Any, List, Mapping, Optional, Tuple

from pytest_throughput.measurement.allocator import give_back_free_memory
from pytest_throughput.measurement.disturbance import Disturbance, DisturbanceWatch
from pytest_throughput.measurement.forks import ending_forked_children
from pytest_throughput.measurement.measurement import Measurement
from pytest_throughput.measurement.plan import Plan
from pytest_throughput.measurement.step import Step
from pytest_throughput.measurement.stopping import StoppingRule
from pytest_throughput.measurement.timing import Clock, time_round, time_step, undisturbed_interpreter
from pytest_throughput.measurement.warm_up import steps_for_a_long_round, warm_up

__all__ = ["MeasuringLoop", "measure", "metadata_after_first_step", "run_once"]

_LATENCY_ROUNDS = 10
_LEAST_STEPS_OF_A_SLICE = 3
"""The fewest steps of a slice: the median of three is not moved by one that was held up."""
_STEPS_AFTER_IDLING = 1
"""The steps before a slice that are not recorded: meanwhile another process has filled the caches with its own data."""
_ASYNCHRONOUS_STEPS_AFTER_IDLING = 3
"""The same where the step is asynchronous, as on a GPU. Each is waited for, so the first finds the device without a
queue and perhaps with lowered clocks, and the later ones find it as the rounds will."""


class MeasuringLoop:
    """Measures one opened step by a plan: ``warm_up``, then ``measure`` slice by slice, then ``measurement``.

    Exceptions of the step pass through.
    """

    def __init__(
        self, step: Step, plan: Plan, *, steps_per_round: Optional[int] = None, clock: Clock = time.perf_counter
    ) -> None:
        """Use ``steps_per_round`` steps in each round. Asynchronous steps are all launched before one wait.

        None means 1 where the plan fixes the number of rounds, and else the fewest with which a round lasts 2 ms, or
        0.2 s if the step is asynchronous.
        """
        self._step = step
        self._plan = plan
        self._clock = clock
        self._pipelining = _may_pipeline(step, plan, steps_per_round)
        self._steps_per_round = steps_per_round or 1
        self._chooses_steps = steps_per_round is None and plan.target is not None
        self._first_step_seconds = 0.0
        self.first_step_metadata: Mapping[str, Any] = {}
        self._warm_up_steps = 0
        self._rule = StoppingRule(plan)
        self._round_seconds: List[float] = []
        self._disturbances: List[Disturbance] = []
        self._page_faults = 0
        self._window: Optional[Tuple[float, float]] = None
        self._stop_reason: Optional[str] = None

    @property
    def is_finished(self) -> bool:
        """Whether the plan needs no further round."""
        return self._stop_reason is not None

    def warm_up(self) -> None:
        """Run the first step and the warm-up, and choose the number of steps in a round."""
        with undisturbed_interpreter():
            self._first_step_seconds = self._run_first_step()
            # What only building and the first step need is no part of the later peak. The warm-up takes the rest anew.
            give_back_free_memory()
            seconds = warm_up(self._step, self._plan, self._clock)
            self._warm_up_steps = len(seconds)
            if self._chooses_steps:
                singles = seconds or [self._first_step_seconds]
                self._steps_per_round = steps_for_a_long_round(self._step, singles, self._clock)

    def _run_first_step(self) -> float:
        """Return the seconds of the first step, and look at what shows after it."""
        seconds, output = time_step(self._step, self._clock)
        self.first_step_metadata = metadata_after_first_step(self._step, output)
        return seconds

    def measure(self, slice_seconds: float = math.inf) -> int:
        """Measure rounds until the plan needs no more, or a slice of so many seconds and at least three steps.

        A slice is measured whole, even if the plan needs no more. It follows a time without steps, so some steps come
        before it that are not recorded. Return how many rounds were measured.
        """
        is_slice, least_rounds = math.isfinite(slice_seconds), -(-_LEAST_STEPS_OF_A_SLICE // self._steps_per_round)
        with undisturbed_interpreter(), DisturbanceWatch() as watch:
            if self._window is None or not is_slice:
                gc.collect()  # It takes as long as a slice, and does not have to precede each.
            watch.start()
            began_at = time.monotonic()
            if is_slice:
                for _ in range(_ASYNCHRONOUS_STEPS_AFTER_IDLING if self._step.asynchronous else _STEPS_AFTER_IDLING):
                    time_round(self._step, 1, self._clock)
            elapsed_before, rounds, seconds_of_slice = sum(self._round_seconds), 0, 0.0

            while (
                (rounds < least_rounds or seconds_of_slice < slice_seconds) if is_slice else self._stop_reason is None
            ):
                watch.before_round()
                seconds = time_round(self._step, self._steps_per_round, self._clock)
                watch.after_round(seconds)
                self._round_seconds.append(seconds)
                rounds += 1
                seconds_of_slice += seconds
                elapsed_seconds = elapsed_before + seconds_of_slice
                if self._stop_reason is None:
                    self._stop_reason = self._rule.reason_to_stop(self._round_seconds, elapsed_seconds)
            self._window = (began_at if self._window is None else self._window[0], time.monotonic())
            self._disturbances += watch.disturbances()
            self._page_faults += watch.page_faults
        return rounds

    def measurement(self) -> Measurement:
        """Return all rounds so far. Single steps are run for the latency where rounds have several steps."""
        singles = self._round_seconds
        if self._steps_per_round > 1:
            with undisturbed_interpreter():
                singles = [time_round(self._step, 1, self._clock) for _ in range(_LATENCY_ROUNDS)]
        return Measurement(
            round_seconds=tuple(self._round_seconds),
            steps_per_round=self._steps_per_round,
            first_step_seconds=self._first_step_seconds,
            warm_up_steps=self._warm_up_steps,
            stop_reason=self._stop_reason or "stopped",
            latency_seconds=statistics.median(singles),
            disturbances=tuple(self._disturbances),
            window=self._window,
            pipelining=self._pipelining,
            page_faults=self._page_faults,
        )


def measure(
    step: Step, plan: Plan, *, steps_per_round: Optional[int] = None, clock: Clock = time.perf_counter
) -> Measurement:
    """Measure one opened step by a plan, in one slice. See ``MeasuringLoop`` for the arguments."""
    loop = MeasuringLoop(step, plan, steps_per_round=steps_per_round, clock=clock)
    loop.warm_up()
    loop.measure()
    return loop.measurement()


def _may_pipeline(step: Step, plan: Plan, steps_per_round: Optional[int]) -> bool:
    """Return whether steps may be launched before the previous one has ended.

    This depends on the settings and not on the number of steps in a round: a round of 0.2 s may have a single step in
    one trial and two in the next, and both measure the same.
    """
    return step.asynchronous and (plan.target is not None if steps_per_round is None else steps_per_round > 1)


def run_once(step: Step, *, clock: Clock = time.perf_counter) -> Tuple[Measurement, Any]:
    """Run one step and wait for it: no warm-up, no rounds, nothing that would run it again.

    Return a measurement whose first step, only round and latency are this step, and the step's output. Exceptions of
    the step pass through.
    """
    seconds, output = time_step(step, clock)
    unknown = Disturbance(None, None, 0, None, None)
    return Measurement((seconds,), 1, seconds, 0, "max_rounds", seconds, (unknown,)), output


def metadata_after_first_step(step: Step, output: Any) -> Mapping[str, Any]:
    """Return the metadata that only show after the first step, of which ``output`` is the output."""
    if step.after_first_step is None:
        return {}
    with ending_forked_children():
        metadata = step.after_first_step(output)
    if not isinstance(metadata, Mapping):
        raise TypeError(f"after_first_step: expected a mapping of metadata, got {metadata!r}")
    return metadata
