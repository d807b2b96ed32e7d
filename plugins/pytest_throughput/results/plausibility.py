"""Figures that cannot be: marked with the reason, never hidden, and never a failure.

A step that launches work and does not wait for it, a network that computes nothing but NaN, a mode
that was mixed up: each gives a rate, and only another figure shows that it cannot be right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pytest_throughput.naming import ENVIRONMENT
from pytest_throughput.results.model import CaseRecord
from pytest_throughput.text import duration, printable, share

__all__ = ["mark_implausible"]

_TRAINING_SHARE = 0.9
"""Training contains inference and takes two to four times as long; the noise of one run, 5 to 10 %, is allowed for."""
_LARGER_BATCH_SHARE = 0.65
"""A launch may dominate, so that two batches take equally long; single cases of one machine were up to 45 %
slower in one hour than in another, and 1 / 1.45 = 0.69."""
_MOST_OF_A_PEAK = {"measured": 1.5}
"""By how the peak is known. One that was measured may have been held up by others as much as that."""


def mark_implausible(cases: Iterable[CaseRecord]) -> None:
    """Notes in each case why its figures cannot be, if they cannot.

    Medians are compared with the *fastest* round of the other case: one that was held up
    throughout is slow, and makes no other impossible.
    """
    cases = list(cases)
    for case in cases:
        case.implausible = _by_itself(case)
    comparable = [case for case in cases if case.axes and _slowest_median(case) is not None]
    by_work = {_axes(case): case for case in comparable}
    for case in comparable:
        if case.implausible is None:
            case.implausible = _beside_inference(case, by_work)
    batches: dict[Axes, list[CaseRecord]] = {}
    for case in comparable:
        if isinstance(case.axes.get("batch_size"), int):
            batches.setdefault(_axes(case, batch_size=None), []).append(case)
    for group in batches.values():
        _mark_by_smaller_batches(group)


Axes = frozenset[tuple[str, str]]


def _axes(case: CaseRecord, **changed: object) -> Axes:
    """What the case is, but for what is changed; as text, since a test may name lists among its axes."""
    axes = {**case.axes, ENVIRONMENT: case.environment, **changed}  # A label may be called environment.
    return frozenset((name, repr(value)) for name, value in axes.items())


def _by_itself(case: CaseRecord) -> str | None:
    for trial in case.trials:
        if trial.median_seconds == 0:
            return "a step took no time that the clock could tell; does it do, and wait for, anything?"
        said = trial.outcome.metadata.get("implausible")
        if said is not None:
            return str(said)
        above = _above_its_peak(trial.outcome.metadata)
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


def _beside_inference(case: CaseRecord, by_work: Mapping[Axes, CaseRecord]) -> str | None:
    inference = by_work.get(_axes(case, mode="inference"))
    if case.axes.get("mode") != "training" or inference is None:
        return None
    return _faster(case, inference, _TRAINING_SHARE, "a training step, but its inference")


def _mark_by_smaller_batches(cases: list[CaseRecord]) -> None:
    """Compare each with that smaller batch whose fastest round took longest: the one that contradicts it most."""
    by_size: dict[int, list[CaseRecord]] = {}
    for case in cases:
        by_size.setdefault(case.axes["batch_size"], []).append(case)
    longest: CaseRecord | None = None
    for size, same in sorted(by_size.items()):
        for case in same:
            if case.implausible is None and longest is not None:
                what = f"a step of batch {size}, but batch {longest.axes['batch_size']}"
                case.implausible = _faster(case, longest, _LARGER_BATCH_SHARE, what)
        longest = max([*same, *([longest] if longest else [])], key=lambda case: _fastest_round(case) or 0.0)


def _faster(case: CaseRecord, other: CaseRecord, share: float, what: str) -> str | None:
    mine, fastest = _slowest_median(case), _fastest_round(other)
    if mine is None or fastest is None or mine >= share * fastest:
        return None
    return f"{duration(mine)} for {what} takes {duration(fastest)} ({printable(other.id)}): one of the two is wrong"


def _slowest_median(case: CaseRecord) -> float | None:
    return max((trial.median_seconds for trial in case.measured if trial.median_seconds), default=None)


def _fastest_round(case: CaseRecord) -> float | None:
    return min((min(trial.seconds_per_step) for trial in case.measured), default=None)
