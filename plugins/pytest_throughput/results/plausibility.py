"""Figures that cannot be right: marked with the reason, never hidden, and never a failure.

A step that launches work and does not wait for it, a network that computes nothing but NaN, a mode
that was mixed up: each gives a rate, and only another figure shows that it cannot be right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from pytest_throughput.naming import ENVIRONMENT
from pytest_throughput.results.model import CaseResult
from pytest_throughput.text import duration, printable, share

__all__ = ["mark_implausible"]

_TRAINING_SHARE = 0.9
"""Training contains inference and takes two to four times as long; the noise of one run, 5 to 10 %, is allowed for."""
_LARGER_BATCH_SHARE = 0.65
"""A launch may dominate, so that two batches take equally long; single cases of one machine were up to 45 %
slower in one hour than in another, and 1 / 1.45 = 0.69."""
_MOST_OF_A_PEAK = {"measured": 1.5}
"""By how the peak is known. One that was measured may have been held up by others as much as that."""


Marks = dict[tuple[str, str], str]
"""Why the figures of cases cannot be right, by the keys of the cases."""
Axes = frozenset[tuple[str, str]]


def mark_implausible(cases: Iterable[CaseResult]) -> tuple[CaseResult, ...]:
    """Return the cases, with the reason in each whose figures cannot be right.

    Medians are compared with the *fastest* round of the other case: one that was held up
    throughout is slow, and makes no other impossible.
    """
    cases = tuple(cases)
    marks: Marks = {case.key: reason for case in cases if (reason := _by_itself(case)) is not None}
    comparable = [case for case in cases if case.axes and _slowest_median(case) is not None]
    by_work = {_axes(case): case for case in comparable}
    for case in comparable:
        inference = by_work.get(_axes(case, mode="inference"))
        if case.axes.get("mode") == "training" and inference is not None:
            _mark_if_faster(marks, case, inference, _TRAINING_SHARE, "a training step, but its inference")
    batches: dict[Axes, list[CaseResult]] = {}
    for case in comparable:
        if isinstance(case.axes.get("batch_size"), int):
            batches.setdefault(_axes(case, batch_size=None), []).append(case)
    for group in batches.values():
        _mark_by_smaller_batches(marks, group)
    return tuple(replace(case, implausible=marks.get(case.key)) for case in cases)


def _axes(case: CaseResult, **changed: object) -> Axes:
    """Return what the case is, but for what is changed; as text, since a test may name lists among its axes."""
    axes = {**case.axes, ENVIRONMENT: case.environment, **changed}  # An axis may be called environment.
    return frozenset((name, repr(value)) for name, value in axes.items())


def _by_itself(case: CaseResult) -> str | None:
    for trial in case.trials:
        if trial.median_seconds == 0:
            return "a step took no time that the clock could tell; does it do, and wait for, anything?"
        reported = trial.metadata.get("implausible")
        if reported is not None:
            return str(reported)
        above = _above_its_peak(trial.metadata)
        if above is not None:
            return above
    return None


def _above_its_peak(metadata: Mapping[str, Any]) -> str | None:
    utilisation, peak = metadata.get("model_flops_utilisation"), metadata.get("peak")
    if not isinstance(utilisation, float) or not isinstance(peak, dict):
        return None
    if utilisation <= _MOST_OF_A_PEAK.get(str(peak.get("method")), 1.0):
        return None
    source = printable(str(peak.get("source")))
    return (
        f"{share(utilisation)} of the device's peak ({source}): something is not waited for, the precision "
        "is another, or the work is less than is counted (as Winograd's convolutions are)"
    )


def _mark_by_smaller_batches(marks: Marks, cases: list[CaseResult]) -> None:
    """Compare each with that smaller batch whose fastest round took longest: the one that contradicts it most."""
    by_size: dict[int, list[CaseResult]] = {}
    for case in cases:
        by_size.setdefault(case.axes["batch_size"], []).append(case)
    longest: CaseResult | None = None
    for size, same in sorted(by_size.items()):
        for case in same:
            if longest is not None:
                what = f"a step of batch {size}, but batch {longest.axes['batch_size']}"
                _mark_if_faster(marks, case, longest, _LARGER_BATCH_SHARE, what)
        longest = max([*same, *([longest] if longest else [])], key=lambda case: _fastest_round(case) or 0.0)


def _mark_if_faster(marks: Marks, case: CaseResult, other: CaseResult, share: float, what: str) -> None:
    """Mark a case without a mark if it took less than a share of the time of another one that has to be faster."""
    mine, fastest = _slowest_median(case), _fastest_round(other)
    if case.key in marks or mine is None or fastest is None or mine >= share * fastest:
        return
    took = f"{duration(mine)} for {what} takes {duration(fastest)}"
    marks[case.key] = f"{took} ({printable(other.id)}): one of the two is wrong"


def _slowest_median(case: CaseResult) -> float | None:
    return max((trial.median_seconds for trial in case.measured), default=None)


def _fastest_round(case: CaseResult) -> float | None:
    return min((seconds for trial in case.measured for seconds in trial.seconds_per_step), default=None)
