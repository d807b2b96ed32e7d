"""The section of warnings about the figures of a run."""

from __future__ import annotations

from pytest_throughput.report.charts.chart import Cell, DataTable, Section
from pytest_throughput.report.warnings import warnings_of
from pytest_throughput.results.model import RunResult
from pytest_throughput.text import count

__all__ = ["section"]


def section(result: RunResult) -> Section | None:
    """Return the warnings that stand below the table of the run; None if there are none."""
    rows = tuple(
        (
            Cell(warning.kind.value.replace("_", " ")),
            Cell(str(len(warning.cases)), len(warning.cases)),
            Cell(warning.text),
        )
        for warning in warnings_of(result)
    )
    if not rows:
        return None
    table = DataTable(count(len(rows), "warning"), ("kind", "cases", "warning"), rows, frozenset({1}))
    return Section("warnings", "Warnings", tables=(table,))
