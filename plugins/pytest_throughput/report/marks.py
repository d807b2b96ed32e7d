"""What marks a case in the table although its status is ok."""

from __future__ import annotations

from statistics import median

from pytest_throughput.report.values import median_of, metric_values, numbers
from pytest_throughput.results.model import CaseResult

__all__ = ["INPUT_BOUND", "host_bound_ratio", "input_bound_ratio", "is_swapped", "recompilations"]

_HOST_BOUND = 0.9
"""The least enqueue ratio of a host-bound case: a faster device would hardly shorten its steps."""
INPUT_BOUND = 1.2
"""The least ratio of an input-bound phase: a faster device would shorten it less than a faster loader."""
_MUCH_SWAPPED_BYTES = 2**20


def host_bound_ratio(case: CaseResult) -> float | None:
    """Return the seconds of launching divided by the seconds of a step; None unless the case is host-bound."""
    ratio = median_of(case, "enqueue_ratio") or 0.0
    return ratio if _HOST_BOUND <= ratio <= 1.0 else None


def input_bound_ratio(case: CaseResult) -> float | None:
    """Return the seconds of a step with loading divided by those without; None unless the case is input-bound."""
    ratios = metric_values(case, "input_bound_ratio")
    ratio = median(ratios) if ratios else 0.0
    return ratio if ratio >= INPUT_BOUND else None


def recompilations(case: CaseResult) -> int:
    """Return how often the step was compiled again after its warm-up, in the trial with the most times."""
    return int(max(numbers(case, "recompilations"), default=0))


def is_swapped(case: CaseResult) -> bool:
    """Return whether so much of the process was swapped out that its steps may have waited for the disk."""
    return max(numbers(case, "swapped_bytes"), default=0) >= _MUCH_SWAPPED_BYTES
