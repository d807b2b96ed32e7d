"""The page of one or several runs: its title, the lines below it, and its sections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pytest_throughput.report.combined import combined
from pytest_throughput.report.html.page import Page
from pytest_throughput.report.sections.order import sections_of
from pytest_throughput.report.table import heading
from pytest_throughput.results.model import RunResult
from pytest_throughput.text import count, listed

__all__ = ["page_of"]

_MOST_FRAMEWORKS = 6


def page_of(runs: Mapping[str, RunResult], judgements: Sequence[Mapping[str, Any]] = ()) -> Page:
    """Return the page of runs, which are given by the names of their files.

    ``judgements``: see ``sections_of``.
    """
    result = combined(list(runs.values()))
    trials = sum(len(case.measured) for case in result.cases)
    counted = f"{count(len(result.cases), 'case')}, {count(trials, 'measured trial')}"
    written = f"; written {_moment(result.written_at)}" if result.written_at else ""
    return Page(
        title=_title(result),
        subtitle=(
            *dict.fromkeys(heading(run) for run in runs.values() if run.is_ours),
            f"{counted}; from {listed(list(runs))}{written}",
        ),
        sections=tuple(sections_of(result, judgements=judgements, runs=runs)),
        notes=() if result.complete else ("Not complete: a run was interrupted, or its budget spent.",),
    )


def _title(result: RunResult) -> str:
    frameworks = list(dict.fromkeys(str(case.axes["framework"]) for case in result.cases if "framework" in case.axes))
    if not 0 < len(frameworks) <= _MOST_FRAMEWORKS:
        return "Throughput report"
    *others, last = frameworks
    return f"Throughput of {', '.join(others)} and {last}" if others else f"Throughput of {last}"


def _moment(text: str) -> str:
    """Return a moment without its seconds, in UTC, which is assumed without a zone; any other text as it is."""
    try:
        moment = datetime.fromisoformat(text)
        in_utc = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return text
    return f"{in_utc:%Y-%m-%d %H:%M} UTC"
