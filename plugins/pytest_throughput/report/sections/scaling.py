"""The section of speed and efficiency by the number of ranks that share a work."""

from __future__ import annotations

from pytest_throughput.naming import CONTENDERS
from pytest_throughput.report.charts.chart import Axis, LineChart, Point, Section, Series
from pytest_throughput.report.findings import quantity_of
from pytest_throughput.report.ratios import TO_ITSELF, ratio_between
from pytest_throughput.report.sections.axis_panels import Line, Panel, limited_panels, log_axis, panels_of
from pytest_throughput.report.sections.works import point
from pytest_throughput.report.values import is_count
from pytest_throughput.results.model import CaseResult, RunResult

__all__ = ["section"]

_MOST_PANELS = 6
_RANKS = "number of ranks"


def section(result: RunResult) -> Section | None:
    """Return the section; None where no work was measured with several numbers of ranks.

    The primary metric of a case is that of all its ranks together. A ``strategy`` is a way to do the work, as a
    framework is.
    """
    panels = panels_of(result.cases, "ranks", _ranks, (*CONTENDERS, "strategy"))
    if not panels:
        return None
    shown, left_out = limited_panels(panels, _MOST_PANELS)
    return Section(
        identifier="scaling",
        heading="Scaling",
        charts=tuple(chart for panel in shown for chart in (_speed(panel), _efficiency(panel))),
        notes=(
            "Efficiency is the speed ÷ that of the fewest ranks that were measured, ÷ the ratio of the numbers of "
            "ranks. It is 1 where the speed grows as the number of ranks does.",
            *left_out,
        ),
    )


def _ranks(case: CaseResult) -> int | None:
    ranks = case.axes.get("ranks")
    return ranks if is_count(ranks) else None


def _speed(panel: Panel) -> LineChart:
    quantity = quantity_of(panel.metric)
    return LineChart(
        panel=panel.name,
        title=f"{quantity} by {_RANKS}",
        x=log_axis(_RANKS, panel.places),
        y=Axis(quantity),
        series=tuple(line.series(point) for line in panel.lines),
    )


def _efficiency(panel: Panel) -> LineChart:
    return LineChart(
        panel=panel.name,
        title=f"scaling efficiency by {_RANKS}",
        x=log_axis(_RANKS, panel.places),
        y=Axis("efficiency"),
        series=tuple(_efficiencies(line) for line in panel.lines),
    )


def _efficiencies(line: Line) -> Series:
    """Return the efficiencies of a line; a case without a trial in common with the fewest ranks has none."""
    fewest, base = line.measured[0]
    points = []
    for ranks, case in line.measured:
        ratio = TO_ITSELF if case is base else ratio_between(case, base)
        if ratio is not None and ratio.estimate.mean is not None:
            mean, low, high = (None if end is None else end * (fewest / ranks) for end in ratio.estimate)
            assert mean is not None
            points.append(Point(ranks, mean, low, high))
    return Series(line.name, line.style, tuple(points), line.variant)
