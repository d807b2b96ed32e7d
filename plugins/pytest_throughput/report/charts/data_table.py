"""The data of a chart as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pytest_throughput.report.charts.chart import BarChart, BarPart, Cell, Chart, DataTable, DotChart, LineChart, Point
from pytest_throughput.report.charts.number_text import number_text, short_number, with_interval

__all__ = ["table_of"]


def table_of(chart: Chart) -> DataTable:
    """Return every value of the chart with its interval. The page does not sort such tables."""
    if isinstance(chart, LineChart):
        return _of_lines(chart)
    return _of_bars(chart) if isinstance(chart, BarChart) else _of_dots(chart)


def _of_lines(chart: LineChart) -> DataTable:
    """Return a row for each value of x and a column for each series."""
    limits = "".join(f"; {limit.text}" for limit in chart.limits)
    caption = _caption(f"{chart.y.label} by {chart.x.label}", [p[2:] for s in chart.series for p in s.points], limits)
    rows = [
        (Cell(short_number(x)), *(_cell([p for p in series.points if p.x == x]) for series in chart.series))
        for x in sorted({p.x for series in chart.series for p in series.points if math.isfinite(p.x)})
    ]
    names = (chart.x.label, *(series.name for series in chart.series))
    return DataTable(caption, names, (*rows,), frozenset(range(len(names))))


def _of_bars(chart: BarChart) -> DataTable:
    """Return a row for each bar and a column for each part; where most cells would be empty, a row for each part."""
    parts = [part for bar in chart.bars for part in bar.parts]
    names = [*dict.fromkeys(part.name for part in parts)] or [""]
    caption = _caption(chart.value.label, [part[3:] for part in parts])
    if len(names) * len(chart.bars) <= 2 * len(parts):
        columns = ("name", *names) if len(names) > 1 else ("name", chart.value.label)
        rows = [
            (Cell(bar.label), *(_cell([part for part in bar.parts if part.name == name]) for name in names))
            for bar in chart.bars
        ]
        return DataTable(caption, columns, (*rows,), frozenset(range(1, len(columns))))
    long = [(Cell(bar.label), Cell(part.name), _cell([part])) for bar in chart.bars for part in bar.parts]
    return DataTable(caption, ("name", "part", chart.value.label), (*long,), frozenset({2}))


def _of_dots(chart: DotChart) -> DataTable:
    """Return a row for each row, with its estimate and all its values."""
    rows = [
        (
            Cell(row.label),
            Cell("-" if row.mean is None else with_interval(row.mean, row.low, row.high)),
            Cell(str(len(row.values))),
            Cell(", ".join(map(number_text, row.values))),
        )
        for row in chart.rows
    ]
    caption = _caption(chart.value.label, [(row.low, row.high) for row in chart.rows])
    return DataTable(caption, ("name", "mean", "count", "values"), (*rows,), frozenset({1, 2}))


def _caption(what: str, intervals: Sequence[Sequence[float | None]], more: str = "") -> str:
    has_intervals = any(end is not None for interval in intervals for end in interval)
    return f"{what}{', with 95 % intervals' if has_intervals else ''}{more}"


def _cell(values: Sequence[Point | BarPart]) -> Cell:
    """Return the values, usually one, with their intervals."""
    if not values:
        return Cell("-")
    numbers = [(one.y if isinstance(one, Point) else one.value, one.low, one.high) for one in values]
    return Cell(", ".join(with_interval(*number) for number in numbers))
