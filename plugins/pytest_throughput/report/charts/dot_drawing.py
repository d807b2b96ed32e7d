"""Dot charts: every value of a row as a dot, and below them the estimate with its interval."""

from __future__ import annotations

from pytest_throughput.report.charts.axes import X_AXIS_HEIGHT, x_axis, x_grid
from pytest_throughput.report.charts.chart import DotChart, DotRow
from pytest_throughput.report.charts.domain import Domain, domain_of, is_drawable
from pytest_throughput.report.charts.drawing import WIDTH, Drawing, group, path, px, text
from pytest_throughput.report.charts.lettering import BASE_LINE, width_of
from pytest_throughput.report.charts.marks import interval_ends, mark, marks_class, styled, whisker
from pytest_throughput.report.charts.number_text import number_text, with_interval
from pytest_throughput.report.charts.rows import Rows

__all__ = ["dot_drawing"]

_HEIGHT = 22
_FROM_MIDDLE = 6
"""How far dots lie above the middle of a row, and the estimate below it."""
_INSET = 10
_DOT = "m-3 0a3 3 0 1 0 6 0 3 3 0 1 0-6 0z"


def dot_drawing(chart: DotChart) -> Drawing:
    """Draw the chart. Values that the axis cannot show, such as zero on a logarithmic one, are left out."""
    domain = _domain(chart)
    means = ["" if row.mean is None else number_text(row.mean, 3) for row in chart.rows]
    beside = 12 + max((width_of(mean) for mean in means), default=0.0)
    rows = Rows.of([row.label for row in chart.rows], [_HEIGHT] * len(chart.rows), top=0, beside=beside)

    def at(value: float) -> float:
        return domain.at(value, rows.left + _INSET, rows.right - _INSET)

    drawn = []
    for row, top in zip(chart.rows, rows.tops, strict=True):
        middle = top + _HEIGHT / 2
        values = [value for value in row.values if is_drawable(value, chart.value)]
        dots = "".join(f"M{px(at(value))} {px(middle - _FROM_MIDDLE)}{_DOT}" for value in values)
        elements = [path(dots, "c-dot")]
        if row.mean is not None and is_drawable(row.mean, chart.value):
            y = middle + (_FROM_MIDDLE if values else 0)
            low, high = interval_ends(row.mean, row.low, row.high)
            if low != high:
                elements.append(path(whisker(at(low), at(high), y, (domain.holds(low), domain.holds(high))), "c-error"))
            tooltip = with_interval(row.mean, row.low, row.high)
            elements.append(mark(row.style, at(row.mean), y, marks_class(row.style), tooltip))
        drawn.append(styled(row.style, elements))
    middles = [top + _HEIGHT / 2 + BASE_LINE for top in rows.tops]
    texts = [text(WIDTH - 2, y, mean, beside) for mean, y in zip(means, middles, strict=True) if mean]
    grid = x_grid(domain, rows.top, rows.bottom, at, has_texts=rows.is_tall)
    axis = x_axis(domain, chart.value.label, rows.left, rows.right, rows.bottom, at)
    elements = [grid, axis, rows.labels(), *drawn, group("c-end", texts)]
    return Drawing(rows.bottom + X_AXIS_HEIGHT, "".join(elements))


def _domain(chart: DotChart) -> Domain:
    values = [value for row in chart.rows for value in _values(row) if is_drawable(value, chart.value)]
    ends = [end for row in chart.rows for end in (row.low, row.high) if end is not None]
    return domain_of(values, chart.value, 5, ends=ends)


def _values(row: DotRow) -> tuple[float, ...]:
    return row.values if row.mean is None else (*row.values, row.mean)
