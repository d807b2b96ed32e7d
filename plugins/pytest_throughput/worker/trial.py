"""Run one trial in this process: open, measure, close. The same code in a worker and without one."""

from __future__ import annotations

import gc
import importlib
import os
import platform
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, Callable, Dict, List, Optional, Tuple, Type, TypeVar

from pytest_throughput.measurement.device import observe_device
from pytest_throughput.measurement.forks import ending_forked_children
from pytest_throughput.measurement.loop import Measurement, finished_output, measure, run_once
from pytest_throughput.measurement.memory import peak_resident_bytes, swapped_bytes
from pytest_throughput.measurement.metadata import json_metadata
from pytest_throughput.measurement.plan import ONCE, Plan
from pytest_throughput.measurement.step import OutOfMemory, Step, Unsupported
from pytest_throughput.worker.protocol import Outcome, Request

__all__ = ["OnError", "run_opened_step", "run_trial"]

OnError = Callable[[Exception], None]

T = TypeVar("T")

_MAX_REASON = 10_000
_MAX_DETAILS = 100_000
"""Characters: a message may hold a whole tensor, and it goes into every report."""


def run_trial(request: Request, on_error: Optional[OnError] = None) -> Outcome:
    """Open the request's target, measure the step and close it.

    ``on_error`` is called with the exception that ended the trial, for a debugger in this process.
    Raises KeyboardInterrupt, and SystemExit where the target or the step does.
    """
    os.environ.update(request.variables)
    return _conduct(lambda: _open(request), request.plan, request.steps_per_round, request.own_process, on_error)


def run_opened_step(
    step: Step, plan: Plan, steps_per_round: Optional[int] = None, on_error: Optional[OnError] = None
) -> Outcome:
    """Measures a step that is open already; ``on_error`` as for `run_trial`."""
    outcome = _conduct(lambda: step, plan, steps_per_round, False, on_error)
    return replace(outcome, metadata={**outcome.metadata, "build_seconds": step.build_seconds})


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
            with ending_forked_children():
                step = open_step()
            open_seconds = time.perf_counter() - start
            if step.reset_peak_memory is not None:
                with ending_forked_children():
                    step.reset_peak_memory()
            if plan == ONCE:
                measurement, implausible = _once(step)
            else:
                measurement = measure(step, plan, steps_per_round=steps_per_round)
        metadata = _metadata(step, open_seconds, own_process)
        if plan != ONCE:
            metadata.update(_observe(step, measurement))
            implausible = _check(step, lambda: finished_output(step))
        if metadata["implausible"] is None:
            metadata["implausible"] = implausible
        outcome = _measured(measurement, metadata)
        if thread_errors:
            # What was timed went on without the thread's work.
            outcome = Outcome("failed", reason=f"in a thread: {thread_errors[0]}")
    except Exception as error:
        outcome = _outcome_of(error, step)
        if on_error is not None:
            on_error(error)
    # Outside the except block: there the error would keep alive the frames that hold the tensors.
    if step is not None and step.close is not None:
        # What was measured stays measured, and what failed first is the better reason.
        _result_or_none(step.close)
    gc.collect()
    return outcome


def _measured(measurement: Measurement, metadata: Mapping[str, Any]) -> Outcome:
    try:
        return Outcome("ok", measurement=measurement, metadata=json_metadata(metadata))
    except ValueError as error:
        return Outcome("failed", reason=f"the step's metadata are not JSON: {error}")


def _result_or_none(function: Callable[[], T]) -> Optional[T]:
    """Return what the function returns; print whatever it raises, ``SystemExit`` included, and return None.

    For what follows the rounds. Only an interruption is raised.
    """
    try:
        with ending_forked_children():
            return function()
    except KeyboardInterrupt:
        raise
    except BaseException:
        with suppress(Exception):  # A step may have closed standard error.
            traceback.print_exc()
        return None


@contextmanager
def _thread_errors() -> Iterator[List[str]]:
    """The errors that end threads meanwhile; they are printed as ever."""
    errors: List[str] = []
    before = threading.excepthook

    def note(ended: Any) -> None:
        if not issubclass(ended.exc_type, SystemExit):  # That is how a thread ends itself.
            errors.append(_described(ended.exc_type, ended.exc_value))
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


def _metadata(step: Step, open_seconds: float, own_process: bool) -> Dict[str, Any]:
    metadata = dict(step.metadata)
    metadata["peak_memory_bytes"] = None if step.peak_memory_bytes is None else _result_or_none(step.peak_memory_bytes)
    if metadata["peak_memory_bytes"] is None and own_process:
        # Of a shared process it would tell the most that any case before has needed.
        metadata["peak_memory_bytes"] = peak_resident_bytes()
    # A fresh process has memory swapped out only if there is too little: its steps may have waited for the disk.
    metadata.setdefault("swapped_bytes", swapped_bytes())
    metadata.setdefault("implausible", None)
    metadata["build_seconds"] = open_seconds if step.build_seconds is None else step.build_seconds
    versions = metadata.get("versions", {})
    if isinstance(versions, Mapping):
        metadata["versions"] = {"python": platform.python_version(), **versions}
    return metadata


def _once(step: Step) -> Tuple[Measurement, Optional[str]]:
    """Run the step a single time. Return that, and why what it computed cannot be right."""
    measurement, output = run_once(step)
    return measurement, _check(step, lambda: output)


def _observe(step: Step, measurement: Measurement) -> Dict[str, Optional[float]]:
    """What the device's clock and the launches say."""
    return _result_or_none(lambda: observe_device(step, measurement.steps_per_round)) or {}


def _check(step: Step, output: Callable[[], Any]) -> Optional[str]:
    """Why what the step computes cannot be right; None where nothing says so, or the check itself fails.

    ``output`` returns what is checked; it is not called for a step without a check.
    """
    check = step.check
    return None if check is None else _result_or_none(lambda: check(output()))


def _outcome_of(error: Exception, step: Optional[Step]) -> Outcome:
    message = _message_of(error)
    if isinstance(error, (OutOfMemory, MemoryError)) or (step is not None and _is_out_of_memory(step, error)):
        return Outcome("out_of_memory", reason=message or "out of memory")
    if isinstance(error, Unsupported):
        return Outcome("unsupported", reason=message or "unsupported")
    return Outcome("failed", reason=_described(type(error), error), details=_traceback_of(error))


def _is_out_of_memory(step: Step, error: Exception) -> bool:
    try:
        with ending_forked_children():
            return bool(step.is_out_of_memory(error))
    except Exception:  # Most look at the error's text, which may fail.
        return False


def _described(kind: Type[BaseException], error: Optional[BaseException]) -> str:
    """``ValueError: what was wrong``, or the type alone."""
    message = _message_of(error)
    return f"{kind.__name__}: {message}" if message else kind.__name__


def _message_of(error: Optional[BaseException]) -> str:
    """The error's text; none where there is none, or where asking for it fails."""
    try:
        message = "" if error is None else str(error).strip()
    except Exception:
        return ""
    return message if len(message) <= _MAX_REASON else message[:_MAX_REASON] + "…"


def _traceback_of(error: Exception) -> Optional[str]:
    """The traceback, without the leading frames that are this package's; its end, where it is very long."""
    try:
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_globals.get("__name__", "").startswith("pytest_throughput."):
            trace = trace.tb_next
        text = "".join(traceback.format_exception(type(error), error, trace or error.__traceback__))
    except Exception:  # The error's own methods are asked, too.
        return None
    return text[-_MAX_DETAILS:]
