"""Bencher Metric Format: JSON with the measures of each benchmark, a measure being a value and its interval.

Bencher's own measure ``throughput`` takes every rate. Another metric is a measure of its own name, such as
``seconds-per-epoch``. The direction is no part of the format: a threshold in Bencher has it.
"""

from __future__ import annotations

import json

from pytest_throughput.measurement.metric import Metric
from pytest_throughput.report.exports.exported import Exported, said_beside
from pytest_throughput.report.exports.names import case_names
from pytest_throughput.results.model import CaseResult, RunResult

__all__ = ["export"]

_LONGEST_MEASURE = 64


def export(result: RunResult) -> Exported:
    """Return the primary metric of each case that has one."""
    names = case_names(result.cases)
    exported = [case for case in result.cases if case.primary is not None]
    benchmarks = {names[case.key]: {_measure(case.primary): _values(case)} for case in exported if case.primary}
    return Exported((json.dumps(benchmarks, indent=2, allow_nan=False) + "\n").encode(), said_beside(result, exported))


def _measure(metric: Metric) -> str:
    if metric.better == "higher" and metric.unit.endswith("/s"):
        return "throughput"
    return metric.name.lower().strip("_").replace("_", "-")[:_LONGEST_MEASURE] or "value"


def _values(case: CaseResult) -> dict[str, float]:
    ends = zip(("value", "lower_value", "upper_value"), case.estimate(), strict=True)
    return {name: value for name, value in ends if value is not None}
