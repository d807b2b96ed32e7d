"""A run as a table with typed columns: a row for each trial, and one for each case without a trial.

A row has the columns of its case and those of its trial. Texts are printable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_throughput.report.exports.names import distinct, shown_name
from pytest_throughput.report.values import is_number
from pytest_throughput.results.model import CaseResult, RunResult, TrialResult
from pytest_throughput.text import printable

__all__ = ["TypedColumn", "Value", "columns_of"]

_MOST_COLUMNS = 500
"""The most axes and metrics of a run. More of them in many rows would take gigabytes."""
_MEASURED_BESIDE = (
    "build_seconds",
    "compile_seconds",
    "peak_memory_bytes",
    "latency_seconds",
    "model_flops_utilisation",
    "images_per_joule",
)
"""Metadata of a trial that are figures."""

Value = str | int | float | bool | None


@dataclass(frozen=True)
class TypedColumn:
    """One column; None stands for a value that is unknown."""

    name: str
    kind: type[str] | type[int] | type[float] | type[bool]
    values: Sequence[Value]


@dataclass(frozen=True)
class _Row:
    case: CaseResult
    trial: TrialResult | None


def columns_of(result: RunResult) -> list[TypedColumn]:
    """Return the columns in their order. Raise ValueError if the run has too many axes and metrics."""
    rows = [_Row(case, trial) for case in result.cases for trial in case.trials or (None,)]
    axes = list(dict.fromkeys(name for case in result.cases for name in case.axes))
    metrics = list(dict.fromkeys(each.name for row in rows if row.trial for each in row.trial.metrics))
    if len(axes) + len(metrics) > _MOST_COLUMNS:
        expected = f"expected at most {_MOST_COLUMNS} together"
        raise ValueError(f"the run has {len(axes):,} different axes and {len(metrics):,} different metrics; {expected}")
    return [*_of_case(result, rows), *_of_axes(rows, axes), *_of_trial(rows), *_of_metrics(rows, metrics)]


def _of_case(result: RunResult, rows: Sequence[_Row]) -> list[TypedColumn]:
    ids = distinct({case.id: shown_name(case.id) for case in result.cases})
    estimates = {case.key: case.estimate() for case in result.cases}

    def text(name: str, value: Callable[[CaseResult], str | None]) -> TypedColumn:
        found = (value(row.case) for row in rows)
        return TypedColumn(name, str, [None if one is None else printable(one) for one in found])

    def estimate(name: str, position: int) -> TypedColumn:
        return TypedColumn(name, float, [estimates[row.case.key][position] for row in rows])

    return [
        text("case", lambda case: ids[case.id]),
        text("environment", lambda case: case.environment),
        text("status", lambda case: case.status),
        text("reason", lambda case: case.reason),
        text("implausible", lambda case: case.implausible),
        TypedColumn("run_complete", bool, [result.complete] * len(rows)),
        text("metric", lambda case: None if case.primary is None else case.primary.name),
        text("unit", lambda case: None if case.primary is None else case.primary.unit),
        text("better", lambda case: None if case.primary is None else case.primary.better),
        estimate("case_mean", 0),
        estimate("case_low", 1),
        estimate("case_high", 2),
        TypedColumn("case_trials", int, [len(row.case.measured) for row in rows]),
    ]


def _of_axes(rows: Sequence[_Row], axes: Sequence[str]) -> list[TypedColumn]:
    names = distinct({axis: f"axis_{shown_name(axis)}" for axis in axes})
    return [_axis(names[axis], [row.case.axes.get(axis) for row in rows]) for axis in axes]


def _axis(name: str, values: Sequence[Any]) -> TypedColumn:
    """Return a column of whole numbers if all known values are whole numbers, else of texts."""
    if all(type(value) is int for value in values if value is not None):
        return TypedColumn(name, int, values)
    return TypedColumn(name, str, [None if value is None else printable(str(value)) for value in values])


def _of_trial(rows: Sequence[_Row]) -> list[TypedColumn]:
    def column(name: str, kind: type[Any], value: Callable[[TrialResult], Value]) -> TypedColumn:
        return TypedColumn(name, kind, [None if row.trial is None else value(row.trial) for row in rows])

    def figure(name: str) -> TypedColumn:
        return column(name, float, lambda trial: _number(trial.metadata, name))

    return [
        column("trial", int, lambda trial: trial.trial),
        column("value", float, lambda trial: None if trial.primary is None else trial.primary.value),
        column("items", float, lambda trial: trial.items),
        column("median_seconds", float, lambda trial: trial.median_seconds),
        column("first_step_seconds", float, lambda trial: trial.first_step_seconds),
        column("rounds", int, lambda trial: trial.rounds),
        column("rounds_disturbed", int, lambda trial: trial.rounds_disturbed),
        column("started_at", str, lambda trial: trial.started_at and printable(trial.started_at)),
        column("resumed", bool, lambda trial: trial.resumed),
        *map(figure, _MEASURED_BESIDE),
    ]


def _number(metadata: Mapping[str, Any], name: str) -> float | None:
    value: Any = metadata.get(name)
    return float(value) if is_number(value) else None


def _of_metrics(rows: Sequence[_Row], names: Sequence[str]) -> list[TypedColumn]:
    return [TypedColumn(f"metric_{name}", float, [_metric(row.trial, name) for row in rows]) for name in names]


def _metric(trial: TrialResult | None, name: str) -> float | None:
    found = None if trial is None else trial.metric(name)
    return None if found is None else found.value
