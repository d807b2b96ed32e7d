"""The section of speeds by device, of the works that were measured on several devices."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_throughput.naming import CONTENDERS
from pytest_throughput.report.best import Best, bests
from pytest_throughput.report.charts.chart import Axis, Bar, BarChart, Section
from pytest_throughput.report.findings import notes_on_findings, quantity_of, title_by_device
from pytest_throughput.report.grouping import grouped
from pytest_throughput.report.sections.works import (
    Labels,
    batch_in_words,
    chart_key,
    framework_of,
    limited,
    mean_speed,
)
from pytest_throughput.results.model import CaseResult, RunResult
from pytest_throughput.text import printable

__all__ = ["section"]

_MOST_CHARTS = 12
_HIDDEN = ("device", *CONTENDERS)
_LONGEST_NAME = 80

Devices = Sequence[Sequence[Best]]
"""One work on each device: there, the frameworks at their best."""


def section(result: RunResult) -> Section | None:
    """Return the section; None where no work was measured on several devices."""
    works = [work for work in bests(result.cases) if work[0].case.axes.get("device") is not None]
    by_work = grouped(works, lambda work: chart_key(work[0].case, _HIDDEN))
    panels = grouped(
        [devices for devices in by_work if len(devices) > 1],
        lambda devices: chart_key(devices[0][0].case, ("batch_size", *_HIDDEN)),
    )
    if not panels:
        return None
    chosen = [max(panel, key=_devices_and_speed) for panel in panels]
    labels = Labels.of(result.cases, ("batch_size", *_HIDDEN))
    shown, left_out = limited(
        chosen, lambda devices: labels.work(devices[0][0].case), lambda devices: sum(map(len, devices)), _MOST_CHARTS
    )
    cases = [best.case for devices in shown for work in devices for best in work]
    return Section(
        identifier="devices",
        heading="Speed by device",
        charts=tuple(_chart(devices, labels) for devices in shown),
        notes=(
            "Each framework in the configuration that is fastest on the device, at equal precision. Of several batch "
            "sizes on most of the devices, the one at which they are fastest on average is shown.",
            *notes_on_findings(cases),
            *left_out,
        ),
    )


def _devices_and_speed(devices: Devices) -> tuple[int, int, float]:
    cases = [best.case for work in devices for best in work]
    return len(devices), len(cases), mean_speed(cases)


def _chart(devices: Devices, labels: Labels) -> BarChart:
    first = devices[0][0].case
    assert first.primary is not None
    rivals: dict[str, dict[str, Sequence[CaseResult]]] = {}
    for work in devices:
        for best in work:
            rivals.setdefault(framework_of(best.case), {})[_device(work)] = best.rows
    return BarChart(
        panel=labels.work(first),
        title=title_by_device(rivals, first.primary, batch_in_words(first)),
        value=Axis(quantity_of(first.primary)),
        bars=tuple(Bar(_device(work), tuple(labels.bar_part(best.case) for best in work)) for work in devices),
    )


def _device(work: Sequence[Best]) -> str:
    return printable(str(work[0].case.axes["device"]), _LONGEST_NAME)
