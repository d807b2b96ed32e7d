"""Numbers of a case's trials, of which files may give any JSON values."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import Any, TypeGuard

from pytest_throughput.results.model import CaseResult

__all__ = [
    "geometric_mean",
    "is_count",
    "is_number",
    "median_of",
    "metric_values",
    "numbers",
    "searches_of",
    "watts",
]


def numbers(case: CaseResult, name: str) -> list[float]:
    """Return the values of a metadata item that are numbers, one for each trial that has one."""
    return _numbers(case.metadata_values(name))


def median_of(case: CaseResult, name: str) -> float | None:
    """Return the median of ``numbers``; None if there are none."""
    return _median(numbers(case, name))


def metric_values(case: CaseResult, name: str) -> list[float]:
    """Return the values of a metric, one for each measured trial that has it."""
    return [metric.value for trial in case.measured if (metric := trial.metric(name)) is not None]


def searches_of(case: CaseResult) -> list[dict[str, Any]]:
    """Return what searches for the largest batch found: ``fits`` is a number; one for each trial that has one."""
    return [
        search
        for search in case.metadata_values("largest_batch")
        if isinstance(search, dict) and is_count(search.get("fits"))
    ]


def watts(case: CaseResult) -> float | None:
    """Return the median of the mean powers of the GPU during the rounds of each trial; None if it was not read."""
    telemetry = [found for found in case.metadata_values("telemetry") if isinstance(found, dict)]
    gpus = [found for each in telemetry if isinstance(found := each.get("gpu"), dict)]
    return _median(_numbers(gpu.get("power_watts") for gpu in gpus))


def geometric_mean(values: Sequence[float]) -> float | None:
    """Return the geometric mean; None if there is no value, or one that is not positive."""
    return statistics.geometric_mean(values) if values and min(values) > 0 else None


def is_number(value: Any) -> bool:
    """Return whether the value is a figure of a trial: a number from 0 to 1e18, and no truth value."""
    return type(value) in (int, float) and 0 <= value < 1e18


def is_count(value: Any) -> TypeGuard[int]:
    """Return whether a value is a whole number that can be a batch size or a number of ranks."""
    return type(value) is int and 0 < value < 1e18


def _numbers(values: Iterable[Any]) -> list[float]:
    return [value for value in values if is_number(value)]


def _median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None
