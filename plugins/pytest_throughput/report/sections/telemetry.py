"""Telemetry: clocks, power, temperature and load while each case was measured, and what disturbed it."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_throughput.report.charts.chart import Axis, Bar, BarChart, BarPart, Cell, DataTable, Section
from pytest_throughput.report.rows import rows_of
from pytest_throughput.report.sections.case_panels import Panel, panels_of, selected
from pytest_throughput.report.sections.wording import clearly_first
from pytest_throughput.report.values import numbers
from pytest_throughput.results.model import CaseResult, RunResult, TrialResult
from pytest_throughput.results.statistics import geometric_mean_interval
from pytest_throughput.text import listed, share, significant

__all__ = ["section"]

_MOST_CASES = 30

_NOTE = (
    "Medians over the trials, but for the hottest temperature, throttling, stolen time and load, which are the "
    "highest. Figures of the GPU are means during the rounds; those of the CPU cover the whole trial."
)


def _number(trial: TrialResult, path: Sequence[str]) -> float | None:
    """Return the number at that place of ``telemetry``, which nothing has checked; None if there is none."""
    value: Any = trial.metadata.get("telemetry")
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if type(value) in (int, float) and 0 <= value < 1e15 else None


def _disturbed(trial: TrialResult) -> float | None:
    """Return the share of the rounds that were disturbed; None if it is unknown."""
    return None if trial.rounds_disturbed is None or not trial.rounds else trial.rounds_disturbed / trial.rounds


@dataclass(frozen=True)
class _Reading:
    """A figure of trials, and how it is shown."""

    heading: str
    of_trial: Callable[[TrialResult], float | None]
    of_trials: Callable[[Sequence[float]], float] = statistics.median
    shown: Callable[[float], str] = significant

    def of(self, case: CaseResult) -> float | None:
        """Return the figure of a case; None if no trial has it."""
        found = [value for trial in case.measured if (value := self.of_trial(trial)) is not None]
        return self.of_trials(found) if found else None


def _at(*path: str) -> Callable[[TrialResult], float | None]:
    return lambda trial: _number(trial, path)


_DISTURBED = _Reading("disturbed rounds", _disturbed, shown=share)
_READINGS = (
    _DISTURBED,
    _Reading("SM clock, MHz", _at("gpu", "sm_clock_mhz", "mean")),
    _Reading("highest possible, MHz", _at("gpu", "sm_clock_mhz", "highest_possible"), max),
    _Reading("memory clock, MHz", _at("gpu", "memory_clock_mhz", "mean")),
    _Reading("power, W", _at("gpu", "power_watts")),
    _Reading("temperature, °C", _at("gpu", "temperature_celsius", "mean")),
    _Reading("hottest, °C", _at("gpu", "temperature_celsius", "max"), max),
    _Reading("throttled", _at("gpu", "throttled_share"), max, share),
    _Reading("GPU busy, %", _at("gpu", "utilisation_percent")),
    _Reading("CPU busy", _at("cpu", "busy_share"), shown=share),
    _Reading("CPU stolen", _at("cpu", "steal_share"), max, share),
    _Reading("CPU clock, MHz", _at("cpu", "frequency_mhz")),
    _Reading("load before", _at("cpu", "load_before"), max),
)


def section(result: RunResult) -> Section | None:
    """Return the section; None if nothing is known of the machine while it measured."""
    known = [case for case in result.cases if any(reading.of(case) is not None for reading in _READINGS)]
    if not known:
        return None
    shown, left_out = selected(known, lambda case: _DISTURBED.of(case) or 0.0, "most disturbed cases", most=_MOST_CASES)
    with_energy = [case for case in shown if _per_joule(case)]
    return Section(
        "telemetry",
        "Telemetry",
        charts=tuple(_chart(panel) for panel in panels_of(with_energy, result)),
        tables=(_table(shown),),
        notes=(_NOTE, *_disturbances(shown), *_unknown(shown), *left_out),
    )


def _per_joule(case: CaseResult) -> list[float]:
    return [value for value in numbers(case, "images_per_joule") if value > 0]


def _chart(panel: Panel) -> BarChart:
    label = "images per joule"
    parts = [BarPart(label, row.style, *geometric_mean_interval(_per_joule(row.case))) for row in panel.rows]
    first = clearly_first(parts, is_highest=True)
    title = label if first is None else f"{panel.rows[first].label} needs the least energy per image"
    bars = tuple(Bar(row.label, (part,)) for row, part in zip(panel.rows, parts, strict=True))
    return BarChart(panel.name, title, Axis(label), bars)


def _table(cases: Sequence[CaseResult]) -> DataTable:
    columns = {reading: [reading.of(case) for case in cases] for reading in _READINGS}
    known = {reading: values for reading, values in columns.items() if any(value is not None for value in values)}
    rows = tuple(
        (Cell(row.group), Cell(row.member), *(_cell(reading, values[number]) for reading, values in known.items()))
        for number, row in enumerate(rows_of(cases))
    )
    headings = ("work", "measured in", *(reading.heading for reading in known))
    return DataTable("Readings while the cases were measured", headings, rows, frozenset(range(2, len(headings))))


def _cell(reading: _Reading, value: float | None) -> Cell:
    return Cell("-" if value is None else reading.shown(value), value)


def _disturbances(cases: Sequence[CaseResult]) -> list[str]:
    """Return the note on what disturbed whole trials, such as a GPU that was throttled."""
    found = [text for case in cases for text in case.metadata_values("disturbed_by") if isinstance(text, str)]
    return [f"Disturbed by: {listed(list(dict.fromkeys(found)))}."] if found else []


def _unknown(cases: Sequence[CaseResult]) -> list[str]:
    """Return the note on readings that the machine did not give, with the reasons."""
    telemetry = [value for case in cases for value in case.metadata_values("telemetry") if isinstance(value, dict)]
    unknown = [each["unknown"] for each in telemetry if isinstance(each.get("unknown"), dict)]
    found = dict.fromkeys(
        f"{name}: {reason}" for each in unknown for name, reason in each.items() if isinstance(reason, str)
    )
    return [f"Unknown: {listed(list(found))}."] if found else []
