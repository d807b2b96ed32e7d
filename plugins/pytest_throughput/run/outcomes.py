"""Exceptions become outcomes of trials, and the outcome of a trial ends its test."""

from __future__ import annotations

import pytest

from pytest_throughput.launch.trials import TrialRun
from pytest_throughput.text import printable, printable_lines, shortened
from pytest_throughput.worker.protocol import Outcome

__all__ = ["end_test", "outcome_of"]

_MOST_CHARACTERS = 100_000
"""The most characters of a traceback, or of a worker's standard error, in a test's report."""


def outcome_of(error: BaseException) -> Outcome:
    """Return the outcome of a trial that an exception of pytest-timeout, or of a step's sys.exit(), has ended."""
    text = f"sys.exit({error.code!r})" if isinstance(error, SystemExit) else str(error).strip()
    message = text or type(error).__name__
    return Outcome("timed_out" if "pytest-timeout" in message else "failed", reason=message)


def end_test(item: pytest.Item, run: TrialRun) -> None:
    """Skip or fail the test unless the outcome is ok. Raise the exception of a step in this process, if it is known."""
    __tracebackhide__ = True
    outcome = run.outcome
    if run.stderr:
        item.add_report_section("call", "worker stderr", printable_lines(shortened(run.stderr, _MOST_CHARACTERS)))
    reason = printable(outcome.reason or "")
    if outcome.status in ("unsupported", "out_of_memory"):
        pytest.skip(f"{outcome.status}: {reason}")
    if outcome.status == "failed" and run.error is not None:
        raise run.error
    if outcome.status != "ok":
        # pytest itself adds "Failed: ".
        message = reason if outcome.status == "failed" and reason else f"{outcome.status}: {reason}"
        details = printable_lines(shortened(outcome.details or "", _MOST_CHARACTERS))
        pytest.fail("\n".join([message, details]).strip(), pytrace=False)
