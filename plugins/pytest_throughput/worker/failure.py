"""Turn an exception into the outcome of a trial: its status, its reason, its traceback."""

from __future__ import annotations

import traceback
from contextlib import suppress
from typing import Callable, Optional, Type, TypeVar

from pytest_throughput.measurement.forks import ending_forked_children
from pytest_throughput.measurement.step import Opened, OutOfMemory, Unsupported
from pytest_throughput.worker.protocol import Outcome

__all__ = ["describe_error", "outcome_of_error", "result_or_none"]

T = TypeVar("T")

_MAX_REASON = 10_000
_MAX_DETAILS = 100_000
"""The most characters of a traceback: a message may hold a whole tensor, and is part of every report."""


def outcome_of_error(error: Exception, opened: Optional[Opened]) -> Outcome:
    """Return the outcome of a trial that an exception ended. ``opened``: its target; None if opening it failed."""
    message = _message_of(error)
    if isinstance(error, (OutOfMemory, MemoryError)) or (opened is not None and _is_out_of_memory(opened, error)):
        return Outcome("out_of_memory", reason=message or "out of memory")
    if isinstance(error, Unsupported):
        return Outcome("unsupported", reason=message or "unsupported")
    return Outcome("failed", reason=describe_error(type(error), error), details=_traceback_of(error))


def result_or_none(function: Callable[[], T]) -> Optional[T]:
    """Return what the function returns; print whatever it raises, ``SystemExit`` included, and return None.

    This is for calls after the rounds, whose failure must not lose them. Only an interruption is raised.
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


def describe_error(kind: Type[BaseException], error: Optional[BaseException]) -> str:
    """Return ``ValueError: what was wrong``, or the type alone where the error has no text."""
    message = _message_of(error)
    return f"{kind.__name__}: {message}" if message else kind.__name__


def _is_out_of_memory(opened: Opened, error: Exception) -> bool:
    try:
        with ending_forked_children():
            return bool(opened.is_out_of_memory(error))
    except Exception:  # Getting the text of the error may fail.
        return False


def _message_of(error: Optional[BaseException]) -> str:
    """Return the error's text; an empty one if there is none, or if getting it fails."""
    try:
        message = "" if error is None else str(error).strip()
    except Exception:
        return ""
    return message if len(message) <= _MAX_REASON else message[:_MAX_REASON] + "…"


def _traceback_of(error: Exception) -> Optional[str]:
    """Return the traceback without the leading frames that are this package's; only the end of a very long one."""
    try:
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_globals.get("__name__", "").startswith("pytest_throughput."):
            trace = trace.tb_next
        text = "".join(traceback.format_exception(type(error), error, trace or error.__traceback__))
    except Exception:  # This calls the error's own methods, which may fail.
        return None
    return text[-_MAX_DETAILS:]
