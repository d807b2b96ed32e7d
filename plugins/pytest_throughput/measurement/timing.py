"""Time single steps and rounds of several.

Only the step, the wait for the device and the freeing of the step's output are between the two readings of the clock.
Freeing is included because every loop needs it: freeing the gradients of a large network takes milliseconds.
"""

from __future__ import annotations

import gc
import sys
from contextlib import contextmanager
from itertools import repeat
from typing import Any, Callable, Iterator, Tuple

from pytest_throughput.measurement.forks import ending_forked_children
from pytest_throughput.measurement.step import Step

__all__ = ["Clock", "finished_output", "time_round", "time_step", "undisturbed_interpreter"]

Clock = Callable[[], float]


def finished_output(step: Step) -> Any:
    """Run one step, and return its output when the device has finished."""
    output = step.run()
    step.wait(output)
    return output


def time_step(step: Step, clock: Clock) -> Tuple[float, Any]:
    """Return the seconds of one step without freeing its output, and the output."""
    with ending_forked_children():
        start = clock()
        output = finished_output(step)
        return clock() - start, output


def time_round(step: Step, steps: int, clock: Clock) -> float:
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
