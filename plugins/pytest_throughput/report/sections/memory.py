"""The section of peak memory: by batch size of what was measured in several, else as a bar for each case."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_throughput.report.batch_sweep import batch_size_of
from pytest_throughput.report.charts.chart import Axis, Bar, BarChart, BarPart, LineChart, Point, Section, Series
from pytest_throughput.report.sections import case_panels
from pytest_throughput.report.sections.axis_panels import Line, Panel, limited_panels, log_axis, panels_of
from pytest_throughput.report.sections.case_panels import evenly, selected
from pytest_throughput.report.sections.memory_walls import limits_of, walls_of
from pytest_throughput.report.values import numbers
from pytest_throughput.results.model import CaseResult, RunResult

__all__ = ["section"]

_MOST_LINE_CHARTS, _MOST_SIZES, _MOST_BARS = 6, 20, 24

_NOTE = (
    "The peak from the end of the warm-up on, in the trial with the highest one: on a GPU that of the framework's "
    "allocator, on a CPU the resident memory of the process, which includes the framework's code."
)
_SIZES = f"Where there are more than {_MOST_SIZES} batch sizes, that many are shown, evenly chosen."


def section(result: RunResult) -> Section | None:
    """Return the section; None if no peak is known."""
    panels = [panel for panel in panels_of(result.cases, "batch_size", batch_size_of) if any(map(_peak, panel.cases))]
    in_panels = {case.key for panel in panels for case in panel.cases}
    alone = [case for case in result.cases if _peak(case) and case.key not in in_panels]
    if not panels and not alone:
        return None
    with_lines, lines_left_out = limited_panels(panels, _MOST_LINE_CHARTS)
    with_bars, bars_left_out = selected(alone, _peak, "cases with the highest peaks", most=_MOST_BARS)
    has_many_sizes = any(len(line.measured) > _MOST_SIZES for panel in with_lines for line in panel.lines)
    return Section(
        "memory",
        "Memory",
        charts=(*map(_by_batch_size, with_lines), *map(_bars, case_panels.panels_of(with_bars, result))),
        notes=(_NOTE, *([_SIZES] if has_many_sizes else []), *lines_left_out, *bars_left_out),
    )


def _peak(case: CaseResult) -> float:
    """Return the bytes of the trial with the highest peak; 0 where none is known."""
    return max(numbers(case, "peak_memory_bytes"), default=0.0)


def _by_batch_size(panel: Panel) -> LineChart:
    unit_bytes, value = _unit(panel.cases)
    series = (_series(line, unit_bytes) for line in panel.lines)
    return LineChart(
        panel=panel.name,
        title="peak memory by batch size",
        x=log_axis("batch size", panel.places),
        y=value,
        series=tuple(each for each in series if each.points),
        limits=limits_of(walls_of(panel.lines)),
    )


def _series(line: Line, unit_bytes: int) -> Series:
    points = [Point(size, _peak(case) / unit_bytes) for size, case in line.measured if _peak(case)]
    return Series(line.name, line.style, tuple(evenly(points, _MOST_SIZES)), line.variant)


def _bars(panel: case_panels.Panel) -> BarChart:
    unit_bytes, value = _unit([row.case for row in panel.rows])
    parts = [BarPart("peak memory", row.style, _peak(row.case) / unit_bytes) for row in panel.rows]
    bars = tuple(Bar(row.label, (part,)) for row, part in zip(panel.rows, parts, strict=True))
    return BarChart(panel.name, "peak memory", value, bars)


def _unit(cases: Sequence[CaseResult]) -> tuple[int, Axis]:
    """Return the unit in which the peaks of these cases are shown, in bytes, and the axis that names it."""
    unit_bytes, unit = (2**30, "GiB") if max(map(_peak, cases)) >= 2**30 else (2**20, "MiB")
    return unit_bytes, Axis(f"peak memory, {unit}")
