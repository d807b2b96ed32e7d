"""The section of seconds per image by batch size, with the largest batch that fits into the memory."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_throughput.report.batch_sweep import batch_size_of, fit_of, notes_on_cliffs
from pytest_throughput.report.charts.chart import Axis, LineChart, Point, Section
from pytest_throughput.report.sections.axis_panels import Panel, limited_panels, log_axis, panels_of
from pytest_throughput.report.sections.memory_walls import Wall, limits_of, walls_of
from pytest_throughput.report.sections.works import point
from pytest_throughput.results.model import RATE, CaseResult, RunResult
from pytest_throughput.text import printable

__all__ = ["section"]

_MOST_CHARTS = 12
_LEAST_SIZES = 3
"""How many batch sizes make a curve; two of them are shown by the section of speeds."""
_LONGEST_TITLE, _LONGEST_UNIT = 90, 20


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
    walls = walls_of(panel.lines)
    return LineChart(
        panel=panel.name,
        title=_title(walls) or f"seconds per {item} by batch size",
        x=log_axis("batch size", panel.places),
        y=Axis(f"seconds per {item}", "log"),
        series=tuple(line.series(_seconds_per_item) for line in panel.lines),
        limits=limits_of(walls),
    )


def _title(walls: Sequence[Wall]) -> str:
    """Return which batches fit, if one did not; empty if that is too long for a title."""
    largest = [f"{wall.name} {'at least ' if wall.refused is None else ''}{wall.largest:,}" for wall in walls]
    title = f"largest batch that fits: {', '.join(largest)}"
    return title if any(wall.refused for wall in walls) and len(title) <= _LONGEST_TITLE else ""


def _seconds_per_item(batch_size: int, case: CaseResult) -> Point:
    """Return the reciprocal of the rate, which is items ÷ median seconds per step."""
    _, rate, low, high = point(batch_size, case)
    return Point(batch_size, 1 / rate, None if high is None else 1 / high, None if low is None else 1 / low)
