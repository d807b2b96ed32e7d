"""A job of named phases, each of which is run and measured once."""

from __future__ import annotations

import gc
import operator
import time
from dataclasses import dataclass
from typing import Any, Callable, Generator, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

from pytest_throughput.measurement.disturbance import Disturbance, DisturbanceWatch
from pytest_throughput.measurement.forks import ending_forked_children
from pytest_throughput.measurement.measurement import Measurement
from pytest_throughput.measurement.metric import Metric
from pytest_throughput.measurement.step import Opened, nothing_to_wait_for
from pytest_throughput.measurement.timing import Clock, undisturbed_interpreter

__all__ = [
    "MAX_ITEMS",
    "MAX_PHASES",
    "Elapsed",
    "MeasuredPhase",
    "Once",
    "Part",
    "Phase",
    "PhaseRun",
    "measure_phase",
]

MAX_PHASES = 1000
MAX_ITEMS = 2**53
"""The largest number of items: every reader of JSON represents whole numbers up to it exactly."""
_MOST_CHARACTERS_OF_A_TEXT = 1000


@dataclass(frozen=True)
class Part:
    """A part of a long phase that has just ended, such as an epoch: what the generator ``Phase.run`` yields.

    The clock stands still from when a part is yielded until the next one begins. So yield it when the device has
    finished.
    """

    text: str
    """What has ended, for a person: ``"epoch 3 of 12: accuracy 91.2 %"``; at most 1,000 characters."""

    done: float
    """The share of the whole phase that has ended: above 0, and at most 1. What is left is estimated from it."""

    save: Optional[Callable[[str], object]] = None
    """Write what the phase needs to go on after this part to a file of this name; None if it cannot go on, or has
    ended. The file is flushed and renamed afterwards. An OSError or a NotImplementedError only means that the part is
    not kept."""

    def __post_init__(self) -> None:
        if not isinstance(self.text, str) or len(self.text) > _MOST_CHARACTERS_OF_A_TEXT:
            raise ValueError(f"text of a part: expected at most {_MOST_CHARACTERS_OF_A_TEXT} characters")
        if not 0.0 < self.done <= 1.0:
            raise ValueError(f"done of a part: expected a number above 0 and at most 1, got {self.done!r}")


@dataclass(frozen=True)
class Phase:
    """One part of a job, timed by itself: loading, training for an epoch, evaluating.

    Its primary metric is items per second, or, if it counts no items, its seconds.
    """

    name: str
    """An identifier such as ``"load"``, by which tests name the phase."""

    run: Callable[[], Any]
    """Do the work, or give it to the device. The work may have parts, such as epochs: ``run`` is then a generator that
    yields a ``Part`` after each, and returns what the other functions are given."""

    wait: Callable[[Any], object] = nothing_to_wait_for
    """Return when the device has finished; called with what ``run`` returned."""

    items: Union[int, Callable[[Any], int], None] = None
    """How many items the phase works through: a number, or a function that is given what ``run`` returned; None if
    its seconds are the figure to judge."""

    unit: str = "images"
    """What the items are, in the plural. The primary metric is named after it, as in ``images_per_second``."""

    metrics: Optional[Callable[[Any], Sequence[Metric]]] = None
    """Further figures of the phase, such as an accuracy, from what ``run`` returned. Called when the clock
    has stopped."""

    restore: Optional[Callable[[str], object]] = None
    """Read the file that a part's ``save`` has written in a run that was interrupted. Called before ``run``, which then
    goes on after that part; it is not timed. Raise ValueError for a file with anything else."""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise ValueError(f"name of a phase: expected an identifier such as 'load', got {self.name!r}")
        if not isinstance(self.unit, str) or not self.unit.isidentifier():
            raise ValueError(f"unit of the phase {self.name}: expected a plural such as 'images', got {self.unit!r}")
        for what in ("run", "wait"):
            if not callable(getattr(self, what)):
                raise TypeError(f"{what} of the phase {self.name}: expected a function, got {getattr(self, what)!r}")


@dataclass(frozen=True)
class _Phased:
    """The phases of a job. A base class, so that they are the first argument of ``Once``."""

    phases: Sequence[Phase]
    """The phases in the order in which they run. Their names differ."""


@dataclass(frozen=True)
class Once(Opened, _Phased):
    """A job that goes once through its phases, each of which is a case of its own.

    A function that ``measure_isolated`` names (``"module:function"``) returns one of these, or a ``Step``. The phases
    run one after the other in one process; one that fails ends the job.
    """

    def __post_init__(self) -> None:
        phases = tuple(self.phases) if isinstance(self.phases, Iterable) else ()  # A generator can be read only once.
        if not phases or not all(isinstance(phase, Phase) for phase in phases):
            raise TypeError(f"phases: expected a list of pytest_throughput.Phase, got {self.phases!r}")
        object.__setattr__(self, "phases", phases)
        names = [phase.name for phase in phases]
        if len(names) > MAX_PHASES:
            raise ValueError(f"phases: expected 1 to {MAX_PHASES}, got {len(names)}")
        if len(set(names)) < len(names):
            raise ValueError(f"phases: expected names that differ, got {', '.join(names)}")


class MeasuredPhase(NamedTuple):
    """The result of measuring a phase."""

    measurement: Measurement
    """A measurement with one round of one step, which is the phase."""
    items: Optional[int]
    """How many items the phase worked through; None if it does not count items."""
    metrics: Tuple[Metric, ...]
    """The primary metric first; none at all if the clock could not resolve the time."""


@dataclass(frozen=True)
class Elapsed:
    """What a phase has taken so far: the sums over its parts."""

    seconds: float
    disturbance: Disturbance
    page_faults: int

    def __add__(self, other: Elapsed) -> Elapsed:
        return Elapsed(
            self.seconds + other.seconds, self.disturbance + other.disturbance, self.page_faults + other.page_faults
        )


class PhaseRun:
    """A phase while it is measured, part after part; a phase without parts ends at once.

    Garbage is collected before the phase, and during it as Python does by default: a phase may last for hours.
    """

    def __init__(self, phase: Phase, earlier: Optional[Elapsed] = None, *, clock: Clock = time.perf_counter) -> None:
        """``earlier``: what the parts have taken that an interrupted run has measured; None for a phase that begins."""
        self._phase = phase
        self._clock = clock
        self._parts: Optional[Iterator[Part]] = None
        self._output: Any = None
        self._is_whole = earlier is None
        self._began_at = self._ended_at = 0.0
        self.elapsed = earlier
        gc.collect()

    def advance(self) -> Optional[Part]:
        """Run and measure the next part, and return it; None if the phase has ended. Its exceptions pass through."""
        with undisturbed_interpreter(collecting=True), DisturbanceWatch() as watch:
            watch.start()
            self._began_at = self._began_at or time.monotonic()
            watch.before_round()
            with ending_forked_children():
                start = self._clock()
                part = self._run_on()
                seconds = self._clock() - start
            watch.after_round(seconds)
            self._ended_at = time.monotonic()
            (disturbance,) = watch.disturbances()
        elapsed = Elapsed(seconds, disturbance, watch.page_faults)
        self.elapsed = elapsed if self.elapsed is None else self.elapsed + elapsed
        return part

    def _run_on(self) -> Optional[Part]:
        if self._parts is None:
            self._output = self._phase.run()
            if not isinstance(self._output, Generator):
                self._phase.wait(self._output)
                return None
            self._parts = self._output
        try:
            part = next(self._parts)
        except StopIteration as ended:
            self._output = ended.value
            self._phase.wait(self._output)
            return None
        if not isinstance(part, Part):
            raise TypeError(f"run of the phase {self._phase.name}: expected a pytest_throughput.Part, got {part!r}")
        return part

    def measured(self) -> MeasuredPhase:
        """Return the figures of the phase, which has ended. Exceptions of its functions pass through."""
        assert self.elapsed is not None
        with ending_forked_children():
            items = _count(self._phase, self._output)
            further = [] if self._phase.metrics is None else list(self._phase.metrics(self._output))
        seconds = self.elapsed.seconds
        measurement = Measurement(
            (seconds,),
            1,
            seconds,
            0,
            "once",
            seconds,
            (self.elapsed.disturbance,),
            # The seconds of an interrupted run are outside the window of this process.
            (self._began_at, self._ended_at) if self._is_whole else None,
            page_faults=self.elapsed.page_faults,
        )
        return MeasuredPhase(measurement, items, _metrics(self._phase, items, seconds, further))


def measure_phase(phase: Phase, *, clock: Clock = time.perf_counter) -> MeasuredPhase:
    """Run a whole phase once and wait for the device. Exceptions of the phase pass through."""
    run = PhaseRun(phase, clock=clock)
    while run.advance() is not None:
        pass
    return run.measured()


def _count(phase: Phase, output: Any) -> Optional[int]:
    if phase.items is None:
        return None
    given = phase.items(output) if callable(phase.items) else phase.items
    try:
        count = operator.index(given)
    except TypeError:
        count = 0
    if not 1 <= count <= MAX_ITEMS:
        raise ValueError(f"items of the phase {phase.name}: expected a whole number of at least 1, got {given!r}")
    return count


def _metrics(phase: Phase, items: Optional[int], seconds: float, further: List[Metric]) -> Tuple[Metric, ...]:
    wrong = [metric for metric in further if not isinstance(metric, Metric)]
    if wrong:
        raise TypeError(f"metrics of the phase {phase.name}: expected pytest_throughput.Metric, got {wrong[0]!r}")
    if seconds == 0.0:
        return ()
    metrics = [Metric("seconds", "s", seconds, "lower"), *further]
    if items is not None:
        metrics.insert(0, Metric(f"{phase.unit}_per_second", f"{phase.unit}/s", items / seconds))
    names = [metric.name for metric in metrics]
    if len(set(names)) < len(names):
        raise ValueError(f"metrics of the phase {phase.name}: expected names that differ, got {', '.join(names)}")
    return tuple(metrics)
