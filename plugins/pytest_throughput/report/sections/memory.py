"""Peak memory, by batch size where several were measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pytest_throughput.report.charts.chart import (
    Axis,
    Bar,
    BarChart,
    BarPart,
    Chart,
    Limit,
    LineChart,
    Point,
    Section,
    Series,
)
from pytest_throughput.report.sections.axis_panels import log_axis
from pytest_throughput.report.sections.case_panels import Panel, PanelRow, evenly, panels_of, selected
from pytest_throughput.report.sections.works import grouped, work_key
from pytest_throughput.report.values import numbers
from pytest_throughput.results.model import CaseResult, RunResult

__all__ = ["section"]

_MOST_SWEEPS, _MOST_SIZES = 24, 12
_BATCH = "batch_size"

_NOTE = (
    "The peak from the end of the warm-up on, in the trial with the highest one: on a GPU that of the framework's "
    "allocator, on a CPU the resident memory of the process, which includes the framework's code."
)

_SIZES = f"Where there are more than {_MOST_SIZES} batch sizes, that many are shown, evenly chosen."

_Sweeps = Mapping[tuple[str, str], Sequence[CaseResult]]
"""The cases that differ in nothing but the batch size, by batch size, by the key of one of them."""


def section(result: RunResult) -> Section | None:
    """Return the section; None if no peak is known."""
    sweeps = _sweeps(result.cases)
    heads = [_without_batch(case) for case in result.cases if case.key in sweeps]
    shown, left_out = selected(
        heads, lambda head: max(map(_peak, sweeps[head.key])), "series with the highest peaks", most=_MOST_SWEEPS
    )
    if not shown:
        return None
    charts = tuple(_chart(panel, sweeps) for panel in panels_of(shown, result))
    notes = [_NOTE, *([_SIZES] if any(len(sweeps[head.key]) > _MOST_SIZES for head in shown) else []), *left_out]
    return Section("memory", "Memory", charts, notes=tuple(notes))


def _sweeps(cases: Sequence[CaseResult]) -> _Sweeps:
    """Return the sweeps in which at least one peak is known. A case without a batch size is one of its own."""
    found = grouped(cases, lambda case: (case.environment, work_key(case, {_BATCH})) if _batch(case) else case.key)
    return {sweep[0].key: sorted(sweep, key=_batch) for sweep in found if any(map(_peak, sweep))}


def _batch(case: CaseResult) -> int:
    """Return the batch size; 0 where there is none, as with ``max``."""
    size = case.axes.get(_BATCH)
    return size if type(size) is int and size > 0 else 0


def _without_batch(case: CaseResult) -> CaseResult:
    """Return the case without its batch size among the axes, if it has one that is a number."""
    return replace(case, axes={name: value for name, value in case.axes.items() if name != _BATCH or not _batch(case)})


def _peak(case: CaseResult) -> float:
    """Return the bytes of the trial with the highest peak; 0 where none is known."""
    return max(numbers(case, "peak_memory_bytes"), default=0.0)


def _chart(panel: Panel, sweeps: _Sweeps) -> Chart:
    known = [(row, _shown(sweeps[row.case.key])) for row in panel.rows]
    highest = max(_peak(case) for _, cases in known for case in cases)
    unit_bytes, unit = (2**30, "GiB") if highest >= 2**30 else (2**20, "MiB")
    sizes = {_batch(case) for _, cases in known for case in cases}
    value = Axis(f"peak memory, {unit}")
    if 0 in sizes or len(sizes) == 1:
        bars = tuple(
            Bar(row.label, tuple(BarPart(_part(case), row.style, _peak(case) / unit_bytes) for case in cases))
            for row, cases in known
        )
        return BarChart(panel.name, "peak memory", value, bars)
    series: list[Series] = []
    for row, cases in known:
        points = tuple(Point(_batch(case), _peak(case) / unit_bytes) for case in cases)
        variant = sum(other.style == row.style for other in series)
        series.append(Series(row.label, row.style, points, variant))
    limits = tuple(limit for row in panel.rows for limit in _limit(row, sweeps[row.case.key]))
    x = log_axis("batch size", sorted(sizes))
    return LineChart(panel.name, "peak memory by batch size", x, value, tuple(series), limits)


def _shown(sweep: Sequence[CaseResult]) -> list[CaseResult]:
    return evenly([case for case in sweep if _peak(case)], _MOST_SIZES)


def _part(case: CaseResult) -> str:
    return f"batch {_batch(case):,}" if _batch(case) else "peak memory"


def _limit(row: PanelRow, sweep: Sequence[CaseResult]) -> list[Limit]:
    """Return the largest batch that fits, if a larger one does not."""
    fits = max((_batch(case) for case in sweep if case.status == "ok"), default=0)
    refused = [_batch(case) for case in sweep if case.status == "out_of_memory" and _batch(case) > fits]
    return [Limit(fits, f"{row.label}: {min(refused):,} does not fit", row.style)] if fits and refused else []
