"""What a chart shows, in sentences, for those who cannot see it."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_throughput.report.charts.chart import Bar, BarChart, Chart, DotRow, LineChart, Series
from pytest_throughput.report.charts.lettering import fitted
from pytest_throughput.report.charts.number_text import number_text, short_number

__all__ = ["description_of"]

_MOST = 12
"""How many lines, bars or rows are described; the table below the chart has all of them."""
_LONGEST_NAME = 400


def description_of(chart: Chart) -> str:
    """Return the kind of the chart, its axes, and its lines, bars or rows with their most important values."""
    if isinstance(chart, LineChart):
        scale = ", on a logarithmic scale" if chart.y.scale == "log" else ""
        limits = [f"{_short(limit.text)}." for limit in chart.limits]
        what = f"Lines of {_short(chart.y.label)}{scale}, by {_short(chart.x.label)}."
        return " ".join([what, *_first([_line(series) for series in chart.series]), *limits[:_MOST]])
    if isinstance(chart, BarChart):
        kind = "Stacked bars" if chart.is_stacked else "Bars"
        return " ".join([f"{kind} of {_short(chart.value.label)}.", *_first([_bar(bar) for bar in chart.bars])])
    return " ".join([f"Dots of {_short(chart.value.label)}.", *_first([_row(row) for row in chart.rows])])


def _line(series: Series) -> str:
    if not series.points:
        return f"{_short(series.name)}: none."
    values = [f"{number_text(point.y)} at {short_number(point.x)}" for point in (series.points[0], series.points[-1])]
    return f"{_short(series.name)}: {' to '.join(dict.fromkeys(values))}."


def _bar(bar: Bar) -> str:
    parts = [f"{_short(part.name)} {number_text(part.value)}" for part in bar.parts[:_MOST]]
    return f"{_short(bar.label)}: {', '.join(parts) or 'none'}."


def _row(row: DotRow) -> str:
    if not row.values:
        return f"{_short(row.label)}: {'none' if row.mean is None else number_text(row.mean)}."
    mean = "" if row.mean is None else f", mean {number_text(row.mean)}"
    return f"{_short(row.label)}: {number_text(min(row.values))} to {number_text(max(row.values))}{mean}."


def _first(sentences: Sequence[str]) -> list[str]:
    more = len(sentences) - _MOST
    return [*sentences[:_MOST], f"And {more} more."] if more > 0 else [*sentences]


def _short(name: str) -> str:
    return fitted(name, _LONGEST_NAME)
