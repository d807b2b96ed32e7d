"""The section of images per second by batch size: a panel for each mode, network, device and precision."""

from __future__ import annotations

from pytest_throughput.report.batch_sweep import batch_size_of
from pytest_throughput.report.charts.chart import Axis, LineChart, Section
from pytest_throughput.report.findings import notes_on_findings, quantity_of, title_by_batch_size
from pytest_throughput.report.sections.axis_panels import Panel, limited_panels, log_axis, panels_of
from pytest_throughput.report.sections.works import point
from pytest_throughput.results.model import RunResult

__all__ = ["section"]

_MOST_CHARTS = 24


def section(result: RunResult) -> Section | None:
    """Return the section; None where no work was measured in several batch sizes."""
    panels = panels_of(result.cases, "batch_size", batch_size_of)
    if not panels:
        return None
    shown, left_out = limited_panels(panels, _MOST_CHARTS)
    cases = [case for panel in shown for case in panel.cases]
    return Section(
        identifier="batch-size",
        heading="Speed by batch size",
        charts=tuple(map(_chart, shown)),
        notes=(*notes_on_findings(cases), *left_out),
    )


def _chart(panel: Panel) -> LineChart:
    return LineChart(
        panel=panel.name,
        title=title_by_batch_size(panel.rivals, panel.metric),
        x=log_axis("batch size", panel.places),
        y=Axis(quantity_of(panel.metric)),
        series=tuple(line.series(point) for line in panel.lines),
    )
