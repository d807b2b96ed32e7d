"""The section of all cases: a row for each, with its axes, figures, status, and the command that repeats it."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_throughput.naming import DEFAULT_ENVIRONMENT
from pytest_throughput.report.charts.chart import Cell, DataTable, Section
from pytest_throughput.report.figures import median_of, numbers
from pytest_throughput.report.ratios import Ratio, ratios_to_fastest
from pytest_throughput.report.repeat import NOT_RECORDED, commands_of
from pytest_throughput.results.model import CaseResult, Estimate, RunResult
from pytest_throughput.text import byte_count, count, duration, share, significant

__all__ = ["section"]

_MOST_COMMANDS = 1_000
"""The most cases whose commands are in the table: they take more than half of its bytes."""
_NEVER_SHARED = ("mode", "model", "framework")
"""Axes that have a column even if all cases have the same value."""
_UNKNOWN = "–"
_RATIOS = (
    "÷ fastest is the speed ÷ that of the fastest row of the same work, by trials with the same number, with its 95 % "
    "interval over trials."
)


@dataclass(frozen=True)
class _Column:
    heading: str
    cells: Sequence[Cell]
    is_number: bool = True

    @property
    def is_empty(self) -> bool:
        """Whether no case has a value."""
        return all(cell.text in (_UNKNOWN, "") for cell in self.cells)


def section(result: RunResult) -> Section | None:
    """Return the table of all cases; None if there are none."""
    cases = result.cases
    if not cases:
        return None
    ratios = ratios_to_fastest(cases)
    columns = [*_names(cases), *_results(cases, ratios), _status(cases)]
    notes = [*_shared(cases), *([_RATIOS] if ratios else [])]
    if len(cases) > _MOST_COMMANDS:
        notes.append(
            f"The commands that repeat a case are left out, since there are more than {_MOST_COMMANDS:,} cases: "
            "a report of fewer files has them."
        )
    elif commands := commands_of(cases):
        columns.append(_commands(cases, commands))
        notes.append(NOT_RECORDED)
    columns += _further_figures(cases)
    table = DataTable(
        caption=count(len(cases), "case"),
        columns=tuple(column.heading for column in columns),
        rows=tuple(zip(*(column.cells for column in columns), strict=True)),
        numbers=frozenset(index for index, column in enumerate(columns) if column.is_number),
        is_filterable=True,
    )
    return Section("cases", "Every case", tables=(table,), notes=tuple(notes))


def _names(cases: Sequence[CaseResult]) -> list[_Column]:
    """Return a column for each axis that tells cases apart; that of the ids, if a case has no axes."""
    axes = dict.fromkeys(name for case in cases for name in case.axes)
    shared = _shared_axes(cases)
    columns = [
        _Column(
            heading=_spelled(name),
            cells=[_axis(case.axes.get(name)) for case in cases],
            is_number=all(type(case.axes.get(name)) in (int, type(None)) for case in cases),
        )
        for name in axes
        if name not in shared
    ]
    if not all(case.axes for case in cases):
        columns.insert(0, _Column("case", [Cell(case.id) for case in cases], is_number=False))
    if any(case.environment != DEFAULT_ENVIRONMENT for case in cases):
        columns.append(_Column("environment", [Cell(case.environment) for case in cases], is_number=False))
    return [column for column in columns if not column.is_empty]


def _spelled(name: str) -> str:
    return name.replace("_", " ")


def _axis(value: Any) -> Cell:
    return Cell("" if value is None else str(value), value if type(value) is int else None)


def _shared_axes(cases: Sequence[CaseResult]) -> dict[str, Any]:
    first = cases[0].axes
    return {
        name: value
        for name, value in first.items()
        if name not in _NEVER_SHARED and all(name in case.axes and case.axes[name] == value for case in cases)
    }


def _shared(cases: Sequence[CaseResult]) -> list[str]:
    """Return the sentence that names what all rows have in common; none if that is nothing."""
    shared = {name: value for name, value in _shared_axes(cases).items() if value is not None}
    return [f"All rows: {', '.join(f'{_spelled(name)} {value}' for name, value in shared.items())}."] if shared else []


def _results(cases: Sequence[CaseResult], ratios: Mapping[tuple[str, str], Ratio]) -> list[_Column]:
    """Return the columns of the primary metric, and of what is known of it."""
    units = list(dict.fromkeys(case.unit for case in cases if case.primary is not None))
    unit = units[0] if len(units) == 1 else "result"
    cells: dict[str, Callable[[CaseResult], Cell]] = {
        unit: lambda case: _result(case, with_unit=len(units) > 1),
        "95 % interval": lambda case: _interval(case.estimate()),
        "÷ fastest": lambda case: _ratio(ratios.get(case.key)),
        "trials": lambda case: _number(len(case.measured) or None, str),
    }
    return _columns(cases, cells, always=unit)


def _further_figures(cases: Sequence[CaseResult]) -> list[_Column]:
    cells: dict[str, Callable[[CaseResult], Cell]] = {
        "ms/step": lambda case: _number(_milliseconds(case), significant),
        "accuracy": lambda case: _number(_accuracy(case), share),
        "direct FLOPs ÷ peak": lambda case: _number(median_of(case, "model_flops_utilisation"), share),
        "images/J": lambda case: _number(median_of(case, "images_per_joule"), significant),
        "first step": lambda case: _number(_first_step_seconds(case), duration),
        "compile": lambda case: _number(median_of(case, "compile_seconds"), duration),
        "build": lambda case: _number(median_of(case, "build_seconds"), duration),
        "peak memory": lambda case: _number(max(numbers(case, "peak_memory_bytes"), default=None), byte_count),
        "disturbed rounds": _disturbed,
    }
    return _columns(cases, cells)


def _columns(
    cases: Sequence[CaseResult], cells: Mapping[str, Callable[[CaseResult], Cell]], always: str | None = None
) -> list[_Column]:
    """Return the columns that at least one case fills, and the one that is always there."""
    columns = [_Column(heading, list(map(cell, cases))) for heading, cell in cells.items()]
    return [column for column in columns if column.heading == always or not column.is_empty]


def _number(value: float | None, shown: Callable[[Any], str]) -> Cell:
    return Cell(_UNKNOWN) if value is None else Cell(shown(value), value)


def _result(case: CaseResult, *, with_unit: bool) -> Cell:
    mean = case.estimate().mean
    return _number(mean, lambda value: f"{significant(value)} {case.unit}" if with_unit else significant(value))


def _interval(estimate: Estimate) -> Cell:
    """Return the ends of the interval, which is sorted by its width as a share of the mean."""
    mean, low, high = estimate
    if mean is None or low is None or high is None:
        return Cell(_UNKNOWN)
    return Cell(f"{significant(low)} to {significant(high)}", (high - low) / mean)


def _ratio(ratio: Ratio | None) -> Cell:
    if ratio is None or ratio.estimate.mean is None:
        return Cell(_UNKNOWN)
    mean, low, high = ratio.estimate
    if not ratio.in_turn:
        return Cell("1", 1.0)
    ends = "" if low is None or high is None else f" ({significant(low, 3)} to {significant(high, 3)})"
    return Cell(f"{significant(mean, 3)}{ends}", mean)


def _milliseconds(case: CaseResult) -> float | None:
    medians = [trial.median_seconds for trial in case.measured]
    return 1000 * statistics.geometric_mean(medians) if medians else None


def _accuracy(case: CaseResult) -> float | None:
    found = [metric.value for trial in case.measured if (metric := trial.metric("accuracy")) is not None]
    return statistics.fmean(found) if found else None


def _first_step_seconds(case: CaseResult) -> float | None:
    known = [trial.first_step_seconds for trial in case.measured if trial.first_step_seconds is not None]
    return statistics.median(known) if known else None


def _disturbed(case: CaseResult) -> Cell:
    known = [trial.rounds_disturbed for trial in case.measured if trial.rounds_disturbed is not None]
    rounds = sum(trial.rounds or 0 for trial in case.measured)
    return Cell(f"{sum(known)}/{rounds}", sum(known) / rounds) if known and rounds else Cell(_UNKNOWN)


def _status(cases: Sequence[CaseResult]) -> _Column:
    cells = [
        Cell("ok, implausible" if case.status == "ok" and case.implausible is not None else case.status or "not run")
        for case in cases
    ]
    return _Column("status", cells, is_number=False)


def _commands(cases: Sequence[CaseResult], commands: Mapping[tuple[str, str], str]) -> _Column:
    cells = [
        Cell("command", command=commands[case.key]) if case.key in commands else Cell("not known") for case in cases
    ]
    return _Column("repeat", cells, is_number=False)
