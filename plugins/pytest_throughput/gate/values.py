"""The values of a metric on both sides of a comparison, for a verdict's reader. No verdict depends on them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import replace

from pytest_throughput.gate.judged import JudgedCase, JudgedRun
from pytest_throughput.gate.verdict import CaseVerdict

__all__ = ["with_values"]


def with_values(verdict: CaseVerdict, base: Sequence[JudgedRun], head: Sequence[JudgedRun]) -> CaseVerdict:
    """Return the verdict with the geometric means of its metric over all trials of each side, and their unit."""
    cases = [[found for run in side if (found := _by(run, verdict)) is not None] for side in (base, head)]
    of_base, of_head = ([trial.value for case in side for trial in case.trials] for side in cases)
    units = [case.metric.unit for side in cases for case in side if case.metric is not None]
    return replace(
        verdict,
        value_base=statistics.geometric_mean(of_base) if of_base else None,
        value_head=statistics.geometric_mean(of_head) if of_head else None,
        unit=units[-1] if units else None,
    )


def _by(run: JudgedRun, verdict: CaseVerdict) -> JudgedCase | None:
    """Return the case of the verdict with the values of its metric; None where the run has none."""
    case = run.cases.get(verdict.id)
    return case if case is None or case.metric_name == verdict.metric else case.by(verdict.metric)
