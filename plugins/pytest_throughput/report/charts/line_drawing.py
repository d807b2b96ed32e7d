"""Line charts: axes, lines with marks and intervals, their names, and the limits of x."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_throughput.report.charts.axes import X_AXIS_HEIGHT, x_axis, y_axis, y_axis_width
from pytest_throughput.report.charts.chart import Limit, LineChart, Point, Series
from pytest_throughput.report.charts.domain import Domain, domain_of, is_drawable
from pytest_throughput.report.charts.drawing import WIDTH, Drawing, group, path, px, text
from pytest_throughput.report.charts.end_labels import Position, label_heights
from pytest_throughput.report.charts.lettering import BASE_LINE, fitted, width_of
from pytest_throughput.report.charts.marks import (
    ROW_HEIGHT,
    Entry,
    interval_ends,
    legend,
    line_sample,
    mark,
    marks_class,
    styled,
)
from pytest_throughput.report.charts.number_text import short_number, with_interval

__all__ = ["line_drawing"]

_HEIGHT = 240
"""The height of the area of the lines."""
_LABEL_HEIGHT = 28
"""The height of the label of y, which stands above the lines."""
_INSET = 10
"""The space between the ends of an axis and the first and last value, so that marks do not touch the frame."""
_LONGEST_LABEL = 190
_MARK_DISTANCE = 11
"""The least distance of marks on average; of more values only some have a mark, while the line has them all."""


@dataclass(frozen=True)
class _Plot:
    """The area of the lines."""

    x: Domain
    y: Domain
    left: float
    right: float
    top: float

    @property
    def bottom(self) -> float:
        return self.top + _HEIGHT

    def across(self, value: float) -> float:
        return self.x.at(value, self.left + _INSET, self.right - _INSET)

    def up(self, value: float) -> float:
        inset = _INSET if self.y.is_log else 0
        return self.y.at(value, self.bottom - inset, self.top + inset)

    def line(self, points: Sequence[Point]) -> list[Position]:
        return [(self.across(point.x), self.up(point.y)) for point in points]


def line_drawing(chart: LineChart) -> Drawing:
    """Draw the chart. Values that an axis cannot show, such as zero on a logarithmic one, are left out."""
    lines = [(series, points) for series in chart.series if (points := _drawable(series, chart))]
    limits = sorted((limit for limit in chart.limits if is_drawable(limit.x, chart.x)), key=lambda limit: limit.x)
    x, y = _domains(chart, [points for _, points in lines], limits)
    left = y_axis_width(y)
    above = _LABEL_HEIGHT + ROW_HEIGHT * len(limits)
    plot = _Plot(x, y, left, WIDTH - _label_width(lines), above)
    heights = label_heights([plot.line(points) for _, points in lines], plot.right, plot.top + 4, plot.bottom - 4)
    if heights is None:
        names, legend_height = legend([_entry(series) for series, _ in lines], line_sample)
        plot = _Plot(x, y, left, WIDTH, legend_height + above)
    else:
        names = _labels(lines, plot, heights)
    frame = y_axis(plot.y, chart.y.label, plot.top - above + 12, plot.left, plot.right, plot.up)
    axis = x_axis(plot.x, chart.x.label, plot.left, plot.right, plot.bottom, plot.across)
    drawn = [_line(series, points, plot) for series, points in lines]
    return Drawing(plot.bottom + X_AXIS_HEIGHT, "".join([frame, axis, *_limits(limits, plot), *drawn, names]))


def _drawable(series: Series, chart: LineChart) -> list[Point]:
    points = [point for point in series.points if is_drawable(point.x, chart.x) and is_drawable(point.y, chart.y)]
    return sorted(points, key=lambda point: point.x)


def _domains(chart: LineChart, lines: Sequence[Sequence[Point]], limits: Sequence[Limit]) -> tuple[Domain, Domain]:
    points = [point for line in lines for point in line]
    ends = [end for point in points for end in (point.low, point.high) if end is not None]
    x = domain_of([*(point.x for point in points), *(limit.x for limit in limits)], chart.x, 8)
    return x, domain_of([point.y for point in points], chart.y, 6, ends=ends, zero="near", ends_on_ticks=True)


def _entry(series: Series) -> Entry:
    return Entry(series.name, series.style, series.variant)


def _label_width(lines: Sequence[tuple[Series, Sequence[Point]]]) -> float:
    return 24 + max((width_of(fitted(line.name, _LONGEST_LABEL)) for line, _ in lines), default=0)


def _labels(lines: Sequence[tuple[Series, Sequence[Point]]], plot: _Plot, heights: Sequence[float]) -> str:
    """Return the name of each line beside its end, with its mark and a leader to it."""
    elements = []
    for (series, points), y in zip(lines, heights, strict=True):
        x_end, y_end = plot.line(points)[-1]
        leader = path(f"M{px(x_end + 7)} {px(y_end)}L{px(plot.right + 3)} {px(y)}", "c-leader")
        glyph = mark(series.style, plot.right + 11, y, marks_class(series.style, series.variant))
        elements += [
            styled(series.style, [leader, glyph]),
            text(plot.right + 21, y + BASE_LINE, series.name, _LONGEST_LABEL),
        ]
    return "".join(elements)


def _limits(limits: Sequence[Limit], plot: _Plot) -> list[str]:
    """Return a vertical line for each limit, with its text in a row of its own above the lines.

    A limit further to the right has a lower row, so that its line does not cross the texts of those to the left.
    """
    elements = []
    for number, limit in enumerate(limits):
        x, y = plot.across(limit.x), plot.top - ROW_HEIGHT * (len(limits) - number) + 8
        needed, to_right, to_left = width_of(limit.text), WIDTH - x - 10, x - 10
        if needed <= to_right or to_right >= to_left:
            name = text(x + 9, y + BASE_LINE, limit.text, to_right)
        else:
            name = group("c-end", [text(x - 9, y + BASE_LINE, limit.text, to_left)])
        line = path(f"M{px(x)} {px(y)}V{px(plot.bottom)}", "c-limit")
        elements.append(styled(limit.style, [line, mark(limit.style, x, y, marks_class(limit.style))]))
        elements.append(group("c-above", [name]))
    return elements


def _line(series: Series, points: Sequence[Point], plot: _Plot) -> str:
    line = plot.line(points)
    name = fitted(series.name, 200)
    every = max(1, math.ceil(len(points) * _MARK_DISTANCE / (plot.right - plot.left)))
    marks = [
        mark(series.style, *position, tooltip=f"{name}, {short_number(point.x)}: {with_interval(*point[1:], digits=3)}")
        for number, (point, position) in enumerate(zip(points, line, strict=True))
        if (len(points) - 1 - number) % every == 0
    ]
    elements = [
        path("".join(_error_bar(point, plot, has_caps=every == 1) for point in points), "c-error"),
        path("M" + " ".join(f"{px(x)} {px(y)}" for x, y in line), "c-line") if len(line) > 1 else "",
        group(marks_class(series.style, series.variant), marks),
    ]
    return styled(series.style, elements, series.variant)


def _error_bar(point: Point, plot: _Plot, *, has_caps: bool) -> str:
    """Return the commands of a vertical interval. An end beyond the axis has no cap."""
    if point.low is None and point.high is None:
        return ""
    x = plot.across(point.x)
    ends = interval_ends(point.y, point.low, point.high)
    caps = [f"M{px(x - 3)} {px(plot.up(end))}h6" for end in ends if has_caps and plot.y.holds(end)]
    return f"M{px(x)} {px(plot.up(ends[0]))}V{px(plot.up(ends[1]))}{''.join(caps)}"
