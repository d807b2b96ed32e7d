"""Percentiles of the rounds of a trial, where it has rounds enough for them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from pytest_throughput.report.values import geometric_mean
from pytest_throughput.results.model import CaseResult

__all__ = ["PERCENTILES", "legend", "percentile"]

PERCENTILES = (50, 90, 99)
_CONFIDENCE = 0.95


def percentile(case: CaseResult, percent: int) -> float | None:
    """Return the seconds per step that so many percent of the rounds of a trial do not exceed.

    Each trial has its own, interpolated linearly between two rounds (definition 7 of Hyndman and Fan, *The American
    Statistician* 50, 1996); the result is their geometric mean. It is None if a trial has too few rounds.
    """
    rounds = [trial.seconds_per_step for trial in case.measured]
    if min(map(len, rounds), default=0) < _least_rounds(percent):
        return None
    return geometric_mean([statistics.quantiles(each, n=100, method="inclusive")[percent - 1] for each in rounds])


def legend(cases: Sequence[CaseResult]) -> str:
    """Return what the percentiles are of, and how many rounds they need."""
    counts = [len(trial.seconds_per_step) for case in cases for trial in case.measured]
    settings = [found for case in cases for found in case.metadata_values("settings")]
    steps = [found for each in settings if type(found := each.get("steps_per_round")) is int]
    several = f", each the mean of {_range(steps)} steps" if max(steps, default=1) > 1 else ""
    needed = ", ".join(f"{_least_rounds(percent)} for p{percent}" for percent in PERCENTILES)
    return f"percentiles: over the {_range(counts)} rounds of a trial{several} (needed: {needed})"


def _least_rounds(percent: int) -> int:
    """Return how many rounds there have to be, so that with 95 % confidence one of them exceeds the percentile.

    Of fewer rounds, the largest would be taken for it.
    """
    return math.ceil(math.log(1 - _CONFIDENCE) / math.log(percent / 100))


def _range(counts: Sequence[int]) -> str:
    least, most = min(counts, default=0), max(counts, default=0)
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"
