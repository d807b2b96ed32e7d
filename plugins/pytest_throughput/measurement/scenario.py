"""A job of named phases, each of which is run and measured once."""

from __future__ import annotations

import gc
import operator
import time
from dataclasses import dataclass
from typing import Any, Callable, Iterable, List, NamedTuple, Optional, Sequence, Tuple, Union

from pytest_throughput.measurement.disturbance import DisturbanceWatch
from pytest_throughput.measurement.forks import ending_forked_children
from pytest_throughput.measurement.loop import Clock, Measurement, undisturbed_interpreter
from pytest_throughput.measurement.metric import Metric
from pytest_throughput.measurement.step import Opened, nothing_to_wait_for

__all__ = ["MAX_ITEMS", "MAX_PHASES", "MeasuredPhase", "Once", "Phase", "measure_phase"]

MAX_PHASES = 1000
MAX_ITEMS = 2**53
"""The largest number of items: every reader of JSON represents whole numbers up to it exactly."""


@dataclass(frozen=True)
class Phase:
    """One part of a job, timed by itself: loading, training for an epoch, evaluating.

    Its primary metric is items per second, or, if it counts no items, its seconds.
    """

    name: str
    """An identifier such as ``"load"``, by which tests name the phase."""

    run: Callable[[], Any]
    """Do the work, or give it to the device."""

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


def measure_phase(phase: Phase, *, clock: Clock = time.perf_counter) -> MeasuredPhase:
    """Run a phase once and wait for the device. Exceptions of the phase pass through.

    Garbage is collected before the phase, and during it as Python does by default: a phase may last for hours.
    """
    with undisturbed_interpreter(collecting=True), DisturbanceWatch() as watch:
        gc.collect()
        watch.start()
        began_at = time.monotonic()
        watch.before_round()
        with ending_forked_children():
            start = clock()
            output = phase.run()
            phase.wait(output)
            seconds = clock() - start
        watch.after_round(seconds)
        window = (began_at, time.monotonic())
        disturbances = tuple(watch.disturbances())
    with ending_forked_children():
        items = _count(phase, output)
        further = [] if phase.metrics is None else list(phase.metrics(output))
    measurement = Measurement(
        (seconds,), 1, seconds, 0, "once", seconds, disturbances, window, page_faults=watch.page_faults
    )
    return MeasuredPhase(measurement, items, _metrics(phase, items, seconds, further))


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
