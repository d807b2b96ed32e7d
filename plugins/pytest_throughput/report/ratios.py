"""The ratios between the rows of one work: how fast each is, compared with the fastest, and how well that is known."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from pytest_throughput.launch.pairs import speed_ratio
from pytest_throughput.report.grouping import grouped
from pytest_throughput.results.model import RATE, CaseResult, Estimate, TrialResult
from pytest_throughput.results.statistics import geometric_mean_interval

__all__ = [
    "TO_ITSELF",
    "Ratio",
    "by_speed",
    "comparable",
    "legend",
    "metric_key",
    "ratio_between",
    "ratios_to_fastest",
    "speed_of",
]


@dataclass(frozen=True)
class Ratio:
    """The speed of a row divided by that of another one."""

    estimate: Estimate
    """The geometric mean over trials, with its interval where there are two or more independent trials."""
    in_turn: tuple[bool, ...]
    """For each trial whether both rows were measured in turn; empty for the ratio of a row to itself."""


TO_ITSELF = Ratio(Estimate(1.0, None, None), ())


def ratio_between(row: CaseResult, other: CaseResult, confidence: float = 0.95) -> Ratio | None:
    """Return the speed of ``row`` divided by that of ``other``, which has the same primary metric.

    Trials with the same number are compared: by their slices where they were measured in turn, else by their primary
    metrics. The interval is Student's, of the logarithms of the trials' ratios, at this confidence. Return None if no
    number has a trial in both rows.
    """
    others = {trial.trial: trial for trial in other.measured}
    both = [(trial, others[trial.trial]) for trial in row.measured if trial.trial in others]
    if not both:
        return None
    of_slices = [_ratio_of_slices(*trials) for trials in both]
    ratios = [one or _ratio_of_trials(*trials) for one, trials in zip(of_slices, both, strict=True)]
    estimate = Estimate(*geometric_mean_interval(ratios, confidence))
    if row.estimate().low is None or other.estimate().low is None:  # Their trials are not independent.
        estimate = Estimate(estimate.mean, None, None)
    return Ratio(estimate, tuple(one is not None for one in of_slices))


def ratios_to_fastest(cases: Sequence[CaseResult]) -> Mapping[tuple[str, str], Ratio]:
    """Return the ratio of each row to the fastest row of its work, by key.

    Only rows with the same primary metric are compared. A row that cannot be compared with another one has no ratio;
    neither has an implausible one, which may look faster than any other.
    """
    found = {}
    for rows in comparable([case for case in cases if case.implausible is None]):
        fastest = by_speed(rows)[0]
        for row in rows if len(rows) > 1 else ():
            ratio = TO_ITSELF if row is fastest else ratio_between(row, fastest)
            if ratio is not None:
                found[row.key] = ratio
    return found


def comparable(cases: Sequence[CaseResult]) -> list[list[CaseResult]]:
    """Return the measured cases, those of the same work and primary metric together."""
    measured = [case for case in cases if case.measured]
    return grouped(measured, lambda case: (case.work, metric_key(case)))


def metric_key(case: CaseResult) -> Hashable:
    """Return name, unit and direction of the primary metric; None where nothing was measured."""
    metric = case.primary
    return None if metric is None else (metric.name, metric.unit, metric.better)


def by_speed(rows: Sequence[CaseResult]) -> list[CaseResult]:
    """Return the rows of one work, the fastest first.

    They are compared by their ratios to one of them, which on a busy machine are known better than the metric itself,
    and by the metric if no trials of the two can be compared.
    """
    highest = max(rows, key=speed_of)

    def speed(row: CaseResult) -> float:
        ratio = ratio_between(row, highest)
        mean = None if ratio is None else ratio.estimate.mean
        return speed_of(row) / speed_of(highest) if mean is None else mean

    return sorted(rows, key=speed, reverse=True)


def legend(ratios: Mapping[tuple[str, str], Ratio]) -> str:
    """Return what the ratios are; nothing if there are none."""
    in_turn = [one for ratio in ratios.values() for one in ratio.in_turn]
    if not in_turn:
        return ""
    how = "measured in turn" if all(in_turn) else "in turn where possible" if any(in_turn) else "one after the other"
    meaning = "÷ fastest: speed ÷ that of the work's fastest row"
    if any(ratio.estimate.low is not None for ratio in ratios.values()):
        return f"{meaning}, and half its 95 % interval ({how})"
    return f"{meaning}, without its interval"


def speed_of(case: CaseResult) -> float:
    """Return the primary metric, or its reciprocal where lower is better; 0 where it is unknown."""
    mean = case.estimate().mean or 0.0
    return 1 / mean if mean and case.primary is not None and case.primary.better == "lower" else mean


def _ratio_of_trials(trial: TrialResult, other: TrialResult) -> float:
    assert trial.primary is not None
    assert other.primary is not None
    ratio = trial.primary.value / other.primary.value
    return 1 / ratio if trial.primary.better == "lower" else ratio


def _ratio_of_slices(trial: TrialResult, other: TrialResult) -> float | None:
    """Return the ratio of the rates in neighbouring slices; None if the trials were not measured in turn."""
    seconds, of_other = trial.slice_seconds, other.slice_seconds
    is_rate = trial.primary is not None and trial.primary.name == RATE
    if not (is_rate and seconds and trial.group == other.group is not None and len(seconds) == len(of_other)):
        return None
    steps = speed_ratio(of_other, seconds)
    return None if steps is None else steps * trial.items / other.items
