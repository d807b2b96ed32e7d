"""Mark figures that cannot be right with the reason. They are neither hidden nor failures.

A step that launches work and does not wait for it, a network that computes only NaN, or the wrong mode also gives a
rate, and only the comparison with another figure shows that the rate cannot be right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from pytest_throughput.naming import ENVIRONMENT
from pytest_throughput.results.above_peak import explanation, is_above_peak
from pytest_throughput.results.model import CaseResult, TrialResult
from pytest_throughput.text import duration, printable, share

__all__ = ["mark_implausible"]

_TRAINING_SHARE = 0.9
"""The least time of training as a share of inference. Training contains inference and takes two to four times as long;
the difference allows for the noise of one run, 5 to 10 %."""
_LARGER_BATCH_SHARE = 0.65
"""The least time of a larger batch as a share of a smaller one. If launching dominates, both take equally long; single
cases of one machine were up to 45 % slower in one hour than in another, and 1 / 1.45 = 0.69."""
_DEVICE_SHARE = 0.65
"""The least time of a step as a share of the same by the device's clock, which is read in steps after the rounds: the
device may be that much slower then, as where it has become too hot."""

Marks = dict[tuple[str, str], str]
"""The reasons why the figures of cases cannot be right, by the keys of the cases."""
Axes = frozenset[tuple[str, str]]


def mark_implausible(cases: Iterable[CaseResult]) -> tuple[CaseResult, ...]:
    """Return the cases, with the reason in each case whose figures cannot be right.

    Medians are compared with the *fastest* round of the other case, so that a case that was held up in most rounds
    does not make another case implausible. Phases are compared with no other case: one of them is a whole epoch, which
    may well take less time in larger batches.
    """
    cases = tuple(cases)
    marks: Marks = {case.key: reason for case in cases if (reason := _by_itself(case)) is not None}
    steps = (case for case in cases if case.axes and not case.metadata_values("phase"))
    comparable = [case for case in steps if _slowest_median(case) is not None]
    by_work = {_axes(case): case for case in comparable}
    for case in comparable:
        inference = by_work.get(_axes(case, mode="inference", optimiser=None))
        if case.axes.get("mode") in ("training", "update") and inference is not None:
            _mark_if_faster(marks, case, inference, _TRAINING_SHARE, "a training step, but its inference")
    batches: dict[Axes, list[CaseResult]] = {}
    for case in comparable:
        if isinstance(case.axes.get("batch_size"), int):
            batches.setdefault(_axes(case, batch_size=None), []).append(case)
    for group in batches.values():
        _mark_by_smaller_batches(marks, group)
    return tuple(replace(case, implausible=marks.get(case.key)) for case in cases)


def _axes(case: CaseResult, **changed: object) -> Axes:
    """Return the axes of the case with some changed, and without those that are None.

    The values are texts, since the axes of a test may be lists.
    """
    axes = {**case.axes, ENVIRONMENT: case.environment, **changed}  # An axis may be called environment.
    return frozenset((name, repr(value)) for name, value in axes.items() if value is not None)


def _by_itself(case: CaseResult) -> str | None:
    for trial in case.trials:
        if trial.median_seconds == 0:
            return "a step took no time that the clock could resolve; does it do, and wait for, anything?"
        reported = trial.metadata.get("implausible")
        if reported is not None:
            return str(reported)
        other = _above_its_peak(trial.metadata) or _below_the_devices_clock(trial)
        if other is not None:
            return other
    return None


def _below_the_devices_clock(trial: TrialResult) -> str | None:
    seconds = trial.metadata.get("device_seconds")
    if not isinstance(seconds, (int, float)) or trial.median_seconds >= _DEVICE_SHARE * seconds:
        return None
    took = f"{duration(trial.median_seconds)} for a step that takes {duration(seconds)} by the device's own clock"
    return f"{took}: it is not waited for, or the device was slower when its clock was read"


def _above_its_peak(metadata: Mapping[str, Any]) -> str | None:
    if not is_above_peak(metadata) or explanation(metadata) is not None:
        return None
    source = printable(str(metadata["peak"].get("source")))
    return (
        f"{share(metadata['model_flops_utilisation'])} of the device's peak ({source}): something is not waited for, "
        "the precision is another, or the work is less than is counted"
    )


def _mark_by_smaller_batches(marks: Marks, cases: list[CaseResult]) -> None:
    """Compare each case with the smaller batch whose fastest round is the slowest, which contradicts it most."""
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
    """Mark an unmarked case that took less than a share of the time of another case, which has to be faster."""
    mine, fastest = _slowest_median(case), _fastest_round(other)
    if case.key in marks or mine is None or fastest is None or mine >= share * fastest:
        return
    took = f"{duration(mine)} for {what} takes {duration(fastest)}"
    marks[case.key] = f"{took} ({printable(other.id)}): one of the two is wrong"


def _slowest_median(case: CaseResult) -> float | None:
    return max((trial.median_seconds for trial in case.measured), default=None)


def _fastest_round(case: CaseResult) -> float | None:
    return min((seconds for trial in case.measured for seconds in trial.seconds_per_step), default=None)
