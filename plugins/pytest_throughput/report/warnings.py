"""The warnings about the figures of a run: one object for each, the same in every report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from pytest_throughput.measurement.allocator import SYSTEM, TUNED
from pytest_throughput.naming import DEFAULT_ENVIRONMENT
from pytest_throughput.report.marks import (
    INPUT_BOUND,
    host_bound_ratio,
    input_bound_ratio,
    is_swapped,
    recompilations,
)
from pytest_throughput.report.values import numbers
from pytest_throughput.results.above_peak import explanation, is_above_peak
from pytest_throughput.results.model import CaseResult, RunResult, TrialResult
from pytest_throughput.text import byte_count, printable

__all__ = [
    "ResultWarning",
    "WarningKind",
    "warnings_of",
]

_OTHER_ALLOCATOR = {
    TUNED: "only glibc can be tuned, and variables that are given or kept win",
    SYSTEM: "a variable or a preloaded library has chosen it",
}
"""Why another allocator than these holds."""


class WarningKind(Enum):
    """The kinds of problems of cases or their figures."""

    NOT_OK = "not_ok"
    """A trial did not end ok."""
    IMPLAUSIBLE = "implausible"
    """The figures cannot be right."""
    ABOVE_PEAK = "above_peak"
    """More operations per second were counted than the device's peak, which can be right."""
    RECOMPILED = "recompiled"
    """The step was compiled again in the rounds."""
    SHARED_PROCESS = "shared_process"
    """Cases shared a process, so that what the first of them makes ready cannot be attributed to one of them."""
    SWAPPED = "swapped"
    """A part of the process was swapped out."""
    HOST_BOUND = "host_bound"
    """The host takes as long to launch a step as the device takes to execute it."""
    INPUT_BOUND = "input_bound"
    """A phase that loads its inputs takes markedly longer than the same computing without loading."""
    NOT_PROFILED = "not_profiled"
    """A run that profiles could not profile a case, or its profiler failed."""
    UNPAIRED = "unpaired"
    """A run that measures in turn measured trials of a case alone."""
    NO_ANCHOR = "no_anchor"
    """A run with an anchor measured trials of a case without it."""
    DISTURBED = "disturbed"
    """Something else disturbed a whole trial, such as a GPU that was throttled."""
    DISTURBED_ROUNDS = "disturbed_rounds"
    """Other processes held up most rounds."""
    VARIABLES_REMOVED = "variables_removed"
    """Workers did not see environment variables of the calling shell that change speed."""
    OTHER_ALLOCATOR = "other_allocator"
    """The allocator of workers was not the one that was asked for."""


@dataclass(frozen=True)
class ResultWarning:
    """One warning about one or several cases."""

    kind: WarningKind
    cases: tuple[tuple[str, str], ...]
    """The keys of the cases: id and environment."""
    text: str
    """A whole sentence that names the cases and is safe to print."""


def warnings_of(result: RunResult) -> list[ResultWarning]:
    """Return all warnings about a run, those about single cases first."""
    cases = result.cases
    found = [
        _about([case], WarningKind.NOT_OK, f"{_name(case)}: {case.status}: {printable(case.reason or '')}")
        for case in cases
        if case.status not in ("ok", None)
    ]
    found += [
        _about([case], WarningKind.IMPLAUSIBLE, f"{_name(case)}: implausible: {printable(case.implausible)}")
        for case in cases
        if case.implausible is not None
    ]
    found += _above_peak(cases)
    found += _recompiled(cases)
    found += _shared_process(cases)
    found += _swapped(cases)
    host_bound = [case for case in cases if host_bound_ratio(case) is not None]
    if host_bound:
        text = (
            "host-bound: the host takes as long to launch a step as the device takes to execute it; "
            "to measure the device, try a larger batch or compiled-graphs"
        )
        found.append(_about(host_bound, WarningKind.HOST_BOUND, text))
    input_bound = [case for case in cases if input_bound_ratio(case) is not None]
    if input_bound:
        text = (
            f"input-bound: loading included, a step takes at least {INPUT_BOUND} times as long as on a batch that is "
            "on the device already; try more --loader-workers"
        )
        found.append(_about(input_bound, WarningKind.INPUT_BOUND, text))
    return (
        found
        + _not_profiled(cases)
        + _unpaired(cases)
        + _without_anchor(cases)
        + _disturbed(cases)
        + _variables_removed(cases)
        + _other_allocator(cases)
    )


def _recompiled(cases: Sequence[CaseResult]) -> list[ResultWarning]:
    return [
        _about(
            [case],
            WarningKind.RECOMPILED,
            f"{_name(case)}: compiled again {recompilations(case):,}× after the warm-up, so that rounds include "
            "compiling; does every step get inputs of the same shapes and types?",
        )
        for case in _where(cases, lambda case: recompilations(case) > 0)
    ]


def _shared_process(cases: Sequence[CaseResult]) -> list[ResultWarning]:
    shared = _where(cases, _shares_its_process)
    if not shared:
        return []
    has_peak = any(case.metadata_values("peak_memory_bytes") for case in cases)
    unknown = "first step and build time" if has_peak else "first step, build time and, on a CPU, peak memory"
    text = f"{unknown} are known only where a process measures one case: --throughput-isolation trial"
    return [_about(shared, WarningKind.SHARED_PROCESS, text)]


def _shares_its_process(case: CaseResult) -> bool:
    return any(settings.get("isolation") == "framework" for settings in case.metadata_values("settings"))


def _swapped(cases: Sequence[CaseResult]) -> list[ResultWarning]:
    swapped = _where(cases, is_swapped)
    if not swapped:
        return []
    named = (f"{_name(case)} ({byte_count(max(numbers(case, 'swapped_bytes')))})" for case in swapped)
    text = (
        "memory did not suffice for these cases: a part was swapped out, and their figures include waits for disk: "
        + ", ".join(named)
    )
    return [_about(swapped, WarningKind.SWAPPED, text)]


def _not_profiled(cases: Sequence[CaseResult]) -> list[ResultWarning]:
    """Return one warning for each reason."""

    def reasons(case: CaseResult) -> list[Any]:
        profiles = case.metadata_values("profile")
        return [profile.get("reason") for profile in profiles if isinstance(profile, dict)]

    return _by_reason(cases, WarningKind.NOT_PROFILED, "not profiled", reasons)


def _unpaired(cases: Sequence[CaseResult]) -> list[ResultWarning]:
    """Return one warning for each reason."""
    return _by_reason(
        cases, WarningKind.UNPAIRED, "not measured in turn", lambda case: case.metadata_values("unpaired")
    )


def _without_anchor(cases: Sequence[CaseResult]) -> list[ResultWarning]:
    """Return one warning for each reason."""

    def reasons(case: CaseResult) -> list[Any]:
        return [anchor.get("reason") for anchor in case.metadata_values("anchor")]

    return _by_reason(cases, WarningKind.NO_ANCHOR, "measured without the anchor", reasons)


def _above_peak(cases: Sequence[CaseResult]) -> list[ResultWarning]:
    """Return one warning for each explanation. What has none is implausible."""

    def explanations(case: CaseResult) -> list[Any]:
        return [explanation(trial.metadata) for trial in case.measured if is_above_peak(trial.metadata)]

    return _by_reason(cases, WarningKind.ABOVE_PEAK, "* above the peak, which can be right", explanations)


def _by_reason(
    cases: Sequence[CaseResult], kind: WarningKind, what: str, reasons: Callable[[CaseResult], list[Any]]
) -> list[ResultWarning]:
    by_reason: dict[str, list[CaseResult]] = {}
    for case in cases:
        texts = (value for value in reasons(case) if isinstance(value, str))
        for reason in dict.fromkeys(map(printable, texts)):
            by_reason.setdefault(reason, []).append(case)
    return [
        _about(found, kind, f"{what}: {', '.join(map(_name, found))}: {reason}") for reason, found in by_reason.items()
    ]


def _disturbed(cases: Sequence[CaseResult]) -> list[ResultWarning]:
    found = [
        _about([case], WarningKind.DISTURBED, f"{_name(case)}: disturbed: {reason}")
        for case in cases
        for reason in _disturbed_by(case)
    ]
    mostly = _where(cases, lambda case: not _disturbed_by(case) and any(map(_is_mostly_disturbed, case.measured)))
    if mostly:
        text = (
            "other processes held up most rounds of these cases, and their figures include those waits; "
            f"measure them again on an idle machine: {', '.join(map(_name, mostly))}"
        )
        found.append(_about(mostly, WarningKind.DISTURBED_ROUNDS, text))
    return found


def _variables_removed(cases: Sequence[CaseResult]) -> list[ResultWarning]:
    concerned = _where(cases, lambda case: bool(_removed(case)))
    if not concerned:
        return []
    names = sorted({name for case in concerned for name in _removed(case)})
    text = (
        f"workers did not see {printable(', '.join(names))} of the calling shell: "
        "--throughput-keep-env NAMES keeps variables that change speed"
    )
    return [_about(concerned, WarningKind.VARIABLES_REMOVED, text)]


def _other_allocator(cases: Sequence[CaseResult]) -> list[ResultWarning]:
    """Return one warning for each allocator that was asked for and each that held instead."""
    found: dict[tuple[str, str], dict[tuple[str, str], CaseResult]] = {}
    for case in cases:
        for trial in case.measured:
            asked, held = trial.metadata.get("allocator_asked"), trial.metadata.get("settings", {}).get("allocator")
            if isinstance(asked, str) and isinstance(held, str) and asked != held:
                found.setdefault((asked, held), {})[case.key] = case
    return [
        _about(
            list(concerned.values()),
            WarningKind.OTHER_ALLOCATOR,
            f"workers allocated memory by {printable(held)}, and --throughput-allocator asked for {printable(asked)} ("
            f"{_OTHER_ALLOCATOR.get(asked, 'the library has to be where the worker runs, such as in its container')}): "
            f"{', '.join(map(_name, concerned.values()))}",
        )
        for (asked, held), concerned in found.items()
    ]


def _removed(case: CaseResult) -> list[str]:
    lists = (value for value in case.metadata_values("removed_variables") if isinstance(value, list))
    return [str(name) for names in lists for name in names]


def _disturbed_by(case: CaseResult) -> list[str]:
    """Return the distinct causes that disturbed whole trials."""
    texts = (value for value in case.metadata_values("disturbed_by") if isinstance(value, str))
    return list(dict.fromkeys(map(printable, texts)))


def _is_mostly_disturbed(trial: TrialResult) -> bool:
    return 2 * (trial.rounds_disturbed or 0) > (trial.rounds or 0)


def _about(cases: Sequence[CaseResult], kind: WarningKind, text: str) -> ResultWarning:
    return ResultWarning(kind, tuple(case.key for case in cases), text)


def _where(cases: Sequence[CaseResult], holds: Callable[[CaseResult], bool]) -> list[CaseResult]:
    return [case for case in cases if holds(case)]


def _name(case: CaseResult) -> str:
    return printable(case.id) + ("" if case.environment == DEFAULT_ENVIRONMENT else f" ({printable(case.environment)})")
