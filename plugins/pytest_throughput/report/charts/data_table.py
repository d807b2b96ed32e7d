"""The data of a chart as a table."""

from __future__ import annotations

from pytest_throughput.report.charts.chart import Chart, DataTable

__all__ = ["table_of"]


def table_of(chart: Chart) -> DataTable:
    """Return every value of the chart with its interval."""
    raise NotImplementedError
