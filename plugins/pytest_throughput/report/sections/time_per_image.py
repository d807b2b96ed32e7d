"""The section of seconds per image by batch size, with the largest batch that fits into the memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pytest_throughput.report.batch_sweep import batch_size_of, fit_of, notes_on_cliffs
from pytest_throughput.report.charts.chart import Axis, Limit, LineChart, Point, Section
from pytest_throughput.report.sections.axis_panels import Line, Panel, limited_panels, log_axis, panels_of
from pytest_throughput.report.sections.works import grouped, point
from pytest_throughput.results.model import RATE, CaseResult, RunResult
from pytest_throughput.text import printable

__all__ = ["section"]

_MOST_CHARTS = 12
_LEAST_SIZES = 3
"""How many batch sizes make a curve; two of them are shown by the section of speeds."""
_LONGEST_TITLE, _LONGEST_UNIT = 90, 20


class _Wall(NamedTuple):
    """The largest batch that fits into the memory, and the smallest larger one that does not."""

    name: str
    style: int
    largest: int
    refused: int | None


def section(result: RunResult) -> Section | None:
    """Return the section; None where no work was measured in enough batch sizes, or up to where memory runs out."""
    panels = [panel for panel in panels_of(result.cases, "batch_size", batch_size_of) if _is_curve(panel)]
    if not panels:
        return None
    shown, left_out = limited_panels(panels, _MOST_CHARTS)
    cases = [case for panel in shown for line in panel.lines for case in line.cases]
    return Section(
        identifier="time-per-image",
        heading="Time per image by batch size",
        charts=tuple(map(_chart, shown)),
        notes=(
            "The median seconds of a step ÷ its batch size. Where a larger batch did not fit into the memory, a line "
            "marks the largest one that did.",
            *notes_on_cliffs(cases),
            *left_out,
        ),
    )


def _is_curve(panel: Panel) -> bool:
    is_limited = any(fit_of(line.cases).refused is not None for line in panel.lines)
    return panel.metric.name == RATE and (is_limited or len(panel.places) >= _LEAST_SIZES)


def _chart(panel: Panel) -> LineChart:
    item = printable(panel.metric.unit, _LONGEST_UNIT).removesuffix("/s").removesuffix("s") or "item"
    walls = _walls(panel.lines)
    return LineChart(
        panel=panel.name,
        title=_title(walls) or f"seconds per {item} by batch size",
        x=log_axis("batch size", panel.places),
        y=Axis(f"seconds per {item}", "log"),
        series=tuple(line.series(_seconds_per_item) for line in panel.lines),
        limits=tuple(
            Limit(wall.largest, f"{wall.name}: {wall.largest:,} fits, {wall.refused:,} does not", wall.style)
            for wall in walls
            if wall.refused is not None
        ),
    )


def _walls(lines: Sequence[Line]) -> list[_Wall]:
    """Return which batches fit: for each framework, or for each of its lines if these differ."""
    walls = []
    for of_framework in grouped(lines, lambda line: line.framework):
        first = of_framework[0]
        fits = [(line.name, fit_of(line.cases)) for line in of_framework]
        if len({fit for _, fit in fits}) == 1:
            fits = [(printable(first.framework), fits[0][1])]
        walls += [_Wall(name, first.style, fit.largest, fit.refused) for name, fit in fits if fit.largest is not None]
    return walls


def _title(walls: Sequence[_Wall]) -> str:
    """Return which batches fit, if one did not; empty if that is too long for a title."""
    largest = [f"{wall.name} {'at least ' if wall.refused is None else ''}{wall.largest:,}" for wall in walls]
    title = f"largest batch that fits: {', '.join(largest)}"
    return title if any(wall.refused for wall in walls) and len(title) <= _LONGEST_TITLE else ""


def _seconds_per_item(batch_size: int, case: CaseResult) -> Point:
    """Return the reciprocal of the rate, which is items ÷ median seconds per step."""
    _, rate, low, high = point(batch_size, case)
    return Point(batch_size, 1 / rate, None if high is None else 1 / high, None if low is None else 1 / low)
