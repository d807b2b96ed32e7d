"""The measuring loop: first step, warm-up, rounds in one slice or several, latency.

Only the step, the wait for the device and the freeing of the step's output are between the two readings of the clock.
Freeing is included because every loop needs it: freeing the gradients of a large network takes milliseconds.
"""

from __future__ import annotations

import gc
import math
import statistics
import sys
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import repeat
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Tuple

from pytest_throughput.measurement.allocator import give_back_free_memory
from pytest_throughput.measurement.disturbance import Disturbance, DisturbanceWatch
from pytest_throughput.measurement.forks import ending_forked_children
from pytest_throughput.measurement.plan import Plan
from pytest_throughput.measurement.step import Step
from pytest_throughput.measurement.stopping import StoppingRule

__all__ = [
    "Measurement",
    "MeasuringLoop",
    "finished_output",
    "measure",
    "metadata_after_first_step",
    "run_once",
    "undisturbed_interpreter",
]

Clock = Callable[[], float]

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
_LATENCY_ROUNDS = 10
_LEAST_STEPS_OF_A_SLICE = 3
"""The fewest steps of a slice: the median of three is not moved by one that was held up."""
_STEPS_AFTER_IDLING = 1
"""The steps before a slice that are not recorded: meanwhile another process has filled the caches with its own data."""
_ASYNCHRONOUS_STEPS_AFTER_IDLING = 3
"""The same where the step is asynchronous, as on a GPU. Each is waited for, so the first finds the device without a
queue and perhaps with lowered clocks, and the later ones find it as the rounds will."""
_SHORTEST_SECONDS = 1e-12
"""The shortest time of a round other than zero: no clock resolves less."""
_LONGEST_SECONDS = 1e9
"""No time of any run is as long, and none so long that arithmetic on it could overflow."""
_LARGEST_COUNT = 10**15


@dataclass(frozen=True)
class Measurement:
    """One trial: all rounds of one case in one process. Times are wall seconds."""

    round_seconds: Tuple[float, ...]
    steps_per_round: int
    first_step_seconds: Optional[float]
    """The first step alone: compiling, autotuning and lazy loading happen here. None where it cannot be compared, since
    earlier cases of the process may have loaded what it needs."""
    warm_up_steps: int
    stop_reason: str
    """``target``, ``stable_noise``, ``max_rounds`` or ``time_cap``, see ``StoppingRule``; ``stopped`` where no further
    slice was asked for; ``once`` of a phase."""
    latency_seconds: float
    """The median of single steps, each of which is waited for."""
    disturbances: Tuple[Disturbance, ...]
    window: Optional[Tuple[float, float]] = None
    """``time.monotonic``, which all processes of a machine share, before the first round and after the last."""
    pipelining: bool = False
    """Whether a step could be launched while the device was busy with the one before; see ``_may_pipeline``."""
    page_faults: Optional[int] = None
    """The minor page faults of the process during the rounds; None where they were not counted."""

    def to_json(self) -> Dict[str, Any]:
        """Return the measurement as a JSON object; ``from_json`` reads it back."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Dict[str, Any]) -> Measurement:
        """Read what ``to_json`` wrote. Raise KeyError, TypeError or ValueError if it is something else."""
        fields = dict(value)
        fields["round_seconds"] = tuple(fields["round_seconds"])
        fields["disturbances"] = tuple(Disturbance(**each) for each in fields["disturbances"])
        if fields.get("window") is not None:
            began_at, ended_at = fields["window"]
            if not (type(began_at) is type(ended_at) is float and 0.0 <= began_at <= ended_at < _LONGEST_SECONDS):
                raise ValueError("expected a window from one time to a later one")
            fields["window"] = began_at, ended_at
        measurement = cls(**fields)
        times = [*measurement.round_seconds, measurement.latency_seconds]
        if measurement.first_step_seconds is not None:
            times.append(measurement.first_step_seconds)
        for each in measurement.disturbances:
            times += [seconds for seconds in vars(each).values() if seconds is not None]
        if not all(type(seconds) in (float, int) and 0.0 <= seconds < _LONGEST_SECONDS for seconds in times):
            raise ValueError("expected times of zero seconds or more")
        if any(0.0 < seconds < _SHORTEST_SECONDS for seconds in measurement.round_seconds):
            raise ValueError("expected rounds of zero seconds, or of what a clock can resolve")
        counts = [measurement.steps_per_round, measurement.warm_up_steps]
        counts += [each.involuntary_switches for each in measurement.disturbances]
        counts.append(0 if measurement.page_faults is None else measurement.page_faults)
        if not all(type(count) is int and 0 <= count <= _LARGEST_COUNT for count in counts):
            raise ValueError("expected whole numbers of steps, switches and page faults")
        if not isinstance(measurement.stop_reason, str) or type(measurement.pipelining) is not bool:
            raise TypeError("expected a text as stop_reason, and true or false as pipelining")
        if not 1 <= len(measurement.round_seconds) == len(measurement.disturbances) or measurement.steps_per_round < 1:
            raise ValueError("expected at least one round of at least one step, each with its disturbance")
        return measurement

    @property
    def seconds_per_step(self) -> List[float]:
        """The seconds per step of each round."""
        return [seconds / self.steps_per_round for seconds in self.round_seconds]

    @property
    def page_faults_per_step(self) -> Optional[float]:
        """The minor page faults of a step, on average; None where they were not counted."""
        steps = self.steps_per_round * len(self.round_seconds)
        return None if self.page_faults is None else self.page_faults / steps

    @property
    def disturbed(self) -> List[Optional[bool]]:
        """Whether the rest of the machine held each round up; None where that is unknown."""
        pairs = zip(self.disturbances, self.round_seconds)
        return [disturbance.is_large_for(seconds) for disturbance, seconds in pairs]


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
            seconds = _warm_up(self._step, self._plan, self._clock)
            self._warm_up_steps = len(seconds)
            if self._chooses_steps:
                singles = seconds[-_SETTLING_WINDOW:] or [self._first_step_seconds]
                self._steps_per_round = _steps_for_a_long_round(self._step, min(singles), self._clock)

    def _run_first_step(self) -> float:
        """Return the seconds of the first step, and look at what shows after it."""
        seconds, output = _time_step(self._step, self._clock)
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
                    _time_round(self._step, 1, self._clock)
            elapsed_before, rounds, seconds_of_slice = sum(self._round_seconds), 0, 0.0

            while (
                (rounds < least_rounds or seconds_of_slice < slice_seconds) if is_slice else self._stop_reason is None
            ):
                watch.before_round()
                seconds = _time_round(self._step, self._steps_per_round, self._clock)
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
                singles = [_time_round(self._step, 1, self._clock) for _ in range(_LATENCY_ROUNDS)]
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
    seconds, output = _time_step(step, clock)
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


def finished_output(step: Step) -> Any:
    """Run one step, and return its output when the device has finished."""
    output = step.run()
    step.wait(output)
    return output


def _time_step(step: Step, clock: Clock) -> Tuple[float, Any]:
    """Return the seconds of one step without freeing its output, and the output."""
    with ending_forked_children():
        start = clock()
        output = finished_output(step)
        return clock() - start, output


def _time_round(step: Step, steps: int, clock: Clock) -> float:
    """Return the seconds of one round."""
    run, wait, run_another = step.run, step.wait, step.run_another
    others = repeat(None, steps - 1)
    with ending_forked_children():
        start = clock()
        for _ in others:
            # The output is not kept: the outputs of two steps at once would raise the peak memory, or exhaust it.
            run_another()
        output = run()
        wait(output)
        del output
        return clock() - start


def _warm_up(step: Step, plan: Plan, clock: Clock) -> List[float]:
    """Run the step until it no longer gets faster, or the plan's number of times; return the seconds of each."""
    seconds: List[float] = []
    elapsed_seconds = 0.0
    while len(seconds) < _MAX_WARM_UP_STEPS:
        prepared = len(seconds) >= step.least_warm_up_steps and elapsed_seconds >= plan.min_warm_up_seconds
        if prepared and _is_warm(seconds, elapsed_seconds, plan):
            break
        seconds.append(_time_round(step, 1, clock))
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


def _steps_for_a_long_round(step: Step, single_seconds: float, clock: Clock) -> int:
    """Return the fewest steps that make a round long enough, given the seconds of a single step.

    Pipelined steps are faster than single ones, and of very short ones a single reading is mostly the clock's own time.
    """
    least_seconds = _PIPELINED_ROUND_SECONDS if step.asynchronous else _SYNCHRONOUS_ROUND_SECONDS
    steps, seconds = 1, single_seconds
    while seconds < least_seconds and steps < _MAX_STEPS_PER_ROUND:
        # A round too short to be read predicts little about longer ones, so it grows tenfold at most.
        wanted = math.ceil(steps * least_seconds / seconds) if seconds > 0 else 10 * steps
        steps = min(max(wanted, steps + 1), 10 * steps, _MAX_STEPS_PER_ROUND)
        # The shorter of two rounds: a round that was held up would seem long enough.
        seconds = min(_time_round(step, steps, clock) for _ in range(2))
    return steps


@contextmanager
def undisturbed_interpreter(*, collecting: bool = False) -> Iterator[None]:
    """Switch off tracing, profiling and, unless ``collecting``, garbage collection; restore all of them afterwards."""
    was_collecting, tracer, profiler = gc.isenabled(), sys.gettrace(), sys.getprofile()
    if not collecting:
        gc.disable()
    sys.settrace(None)
    sys.setprofile(None)
    try:
        yield
    finally:
        sys.setprofile(profiler)
        sys.settrace(tracer)
        if was_collecting:
            gc.enable()
