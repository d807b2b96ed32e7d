"""Conducts one trial in this process: open, measure, close. The same code in a worker and without one."""

from __future__ import annotations

import gc
import importlib
import os
import platform
import threading
import time
import traceback
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

from pytest_throughput.isolation.protocol import Outcome, Request
from pytest_throughput.measurement.device import observe_device
from pytest_throughput.measurement.loop import Measurement, finished_output, measure, run_once
from pytest_throughput.measurement.memory import peak_resident_bytes, swapped_bytes
from pytest_throughput.measurement.plan import ONCE, Plan
from pytest_throughput.measurement.step import OutOfMemory, Step, Unsupported

__all__ = ["OnError", "conduct", "conduct_opened"]

OnError = Callable[[Exception], None]


def conduct(request: Request, on_error: Optional[OnError] = None) -> Outcome:
    """Opens the request's target, measures the step and closes it. Only an interruption is raised.

    ``on_error`` is called with the exception that ended the trial, for a debugger in this process.
    """
    os.environ.update(request.variables)
    return _conduct(lambda: _open(request), request.plan, request.steps_per_round, request.own_process, on_error)


def conduct_opened(
    step: Step, plan: Plan, steps_per_round: Optional[int] = None, on_error: Optional[OnError] = None
) -> Outcome:
    """Measures a step that is open already; ``on_error`` as for `conduct`."""
    outcome = _conduct(lambda: step, plan, steps_per_round, False, on_error)
    return replace(outcome, facts={**outcome.facts, "build_seconds": step.build_seconds})


def _conduct(
    open_step: Callable[[], Step],
    plan: Plan,
    steps_per_round: Optional[int],
    own_process: bool,
    on_error: Optional[OnError],
) -> Outcome:
    step: Optional[Step] = None
    try:
        with _thread_errors() as thread_errors:
            start = time.perf_counter()
            step = open_step()
            open_seconds = time.perf_counter() - start
            if step.reset_peak_memory is not None:
                step.reset_peak_memory()
            if plan == ONCE:
                measurement, implausible = _once(step)
            else:
                measurement = measure(step, plan, steps_per_round=steps_per_round)
        facts = _facts(step, open_seconds, own_process)
        if plan != ONCE:
            facts.update(_observe(step, measurement))
            implausible = _check(step, lambda: finished_output(step))
        if facts["implausible"] is None:
            facts["implausible"] = implausible
        outcome = Outcome("ok", measurement=measurement, facts=facts)
        if thread_errors:
            # What was timed went on without the thread's work.
            outcome = Outcome("failed", reason=f"in a thread: {thread_errors[0]}")
    except Exception as error:
        outcome = _outcome_of(error, step)
        if on_error is not None:
            on_error(error)
    # Outside the except block: there the error would keep alive the frames that hold the tensors.
    if step is not None and step.close is not None:
        try:
            step.close()
        except Exception:
            # What was measured stays measured, and what failed first is the better reason.
            traceback.print_exc()
    gc.collect()
    return outcome


@contextmanager
def _thread_errors() -> Iterator[List[str]]:
    """The errors that end threads meanwhile; they are printed as ever."""
    errors: List[str] = []
    before = threading.excepthook

    def note(ended: Any) -> None:
        errors.append(f"{ended.exc_type.__name__}: {ended.exc_value}")
        before(ended)

    threading.excepthook = note
    try:
        yield errors
    finally:
        threading.excepthook = before


def _open(request: Request) -> Step:
    module_name, _, path = request.target.partition(":")
    if not module_name or not path:
        raise ValueError(f"cannot open {request.target!r}: expected 'module:function'")
    function: Any = importlib.import_module(module_name)
    for name in path.split("."):
        function = getattr(function, name)
    step = function(**request.arguments)
    if not isinstance(step, Step):
        raise TypeError(
            f"{request.target} returned {type(step).__name__}; expected a pytest_throughput.measurement.step.Step"
        )
    return step


def _facts(step: Step, open_seconds: float, own_process: bool) -> Dict[str, Any]:
    facts = dict(step.facts)
    facts["peak_memory_bytes"] = None if step.peak_memory_bytes is None else step.peak_memory_bytes()
    if facts["peak_memory_bytes"] is None and own_process:
        # Of a shared process it would tell the most that any case before has needed.
        facts["peak_memory_bytes"] = peak_resident_bytes()
    # A fresh process has memory swapped out only if there is too little: its steps may have waited for the disk.
    facts.setdefault("swapped_bytes", swapped_bytes())
    facts.setdefault("implausible", None)
    facts["build_seconds"] = open_seconds if step.build_seconds is None else step.build_seconds
    facts["versions"] = {"python": platform.python_version(), **facts.get("versions", {})}
    return facts


def _once(step: Step) -> Tuple[Measurement, Optional[str]]:
    """Run the step a single time. Return that, and why what it computed cannot be right."""
    measurement, output = run_once(step)
    return measurement, _check(step, lambda: output)


def _observe(step: Step, measurement: Measurement) -> Dict[str, Optional[float]]:
    """What the device's clock and the launches say. What was measured stays measured, whatever comes of it."""
    try:
        return observe_device(step, measurement.steps_per_round)
    except Exception:
        traceback.print_exc()
        return {}


def _check(step: Step, output: Callable[[], Any]) -> Optional[str]:
    """Why what the step computes cannot be right. What was measured stays measured, whatever the check does.

    ``output`` returns what is checked; it is not called for a step without a check.
    """
    if step.check is None:
        return None
    try:
        return step.check(output())
    except Exception:
        traceback.print_exc()
        return None


def _outcome_of(error: Exception, step: Optional[Step]) -> Outcome:
    message = str(error).strip()
    out_of_memory = isinstance(error, (OutOfMemory, MemoryError))
    if step is not None and not out_of_memory:
        out_of_memory = step.is_out_of_memory(error)
    if out_of_memory:
        return Outcome("out_of_memory", reason=message or "out of memory")
    if isinstance(error, Unsupported):
        return Outcome("unsupported", reason=message or "unsupported")
    reason = f"{type(error).__name__}: {message}" if message else type(error).__name__
    return Outcome("failed", reason=reason, details=_traceback_of(error))


def _traceback_of(error: Exception) -> str:
    """The traceback, without the leading frames that are this package's."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_globals.get("__name__", "").startswith("pytest_throughput."):
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(error), error, trace or error.__traceback__))
