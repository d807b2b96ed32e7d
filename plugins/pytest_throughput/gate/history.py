"""The history of a baseline: its accepted runs over time, with the changes of each case.

Only runs of one machine, with the same network, settings and anchor, are one history: anything else would show a change
of what is measured as a change of its speed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from pytest_throughput.gate.anchors import common_anchor, relative_to
from pytest_throughput.gate.baseline_store import Baseline
from pytest_throughput.gate.change_points import FEWEST_VALUES, ChangePoint, change_points
from pytest_throughput.gate.correlation import correlation_of
from pytest_throughput.gate.judged import Axes, JudgedCase, JudgedMetric, JudgedRun, hardware_key
from pytest_throughput.results.statistics import geometric_mean_interval

__all__ = ["CaseHistory", "CaseRun", "Figure", "History", "LevelChange", "Machine", "Run", "history_of"]

_NEAR = 1
"""The number of runs of a case by which the place of a change may be wrong, and so a note may lie beside it."""


class Figure(NamedTuple):
    """A geometric mean over trials, with the ends of its 95 % interval; None with a single trial."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Run:
    """An accepted run."""

    number: int
    """Counted from 1 among the runs of its machine, by time."""
    started_at: str
    note: str
    """The note with which the run was accepted: its intended change since the run before. Empty without a note."""
    software: Mapping[str, tuple[str, str]]
    """By name, the versions that differ from those of the latest run before that names them: before, and now."""


@dataclass(frozen=True)
class CaseRun:
    """The figures of a case in one run."""

    run: Run
    trials: int
    value: Figure
    """The primary metric."""
    ratio: Figure | None
    """The speed relative to the anchor; None without an anchor."""

    @property
    def compared(self) -> Figure:
        """The figure in which changes are looked for."""
        return self.value if self.ratio is None else self.ratio


@dataclass(frozen=True)
class LevelChange:
    """A change of the level of a case, in logarithms of speed: negative where the case became worse."""

    first: CaseRun
    """The first run after it."""
    size: float
    low: float
    """Lower end of the 95 % interval."""
    high: float
    """Upper end of the 95 % interval."""
    note: str
    """The note of this run, or of one beside it; empty where none has one."""

    @property
    def is_wanted(self) -> bool:
        """Whether it was marked as wanted when a run was accepted."""
        return self.note != ""


@dataclass(frozen=True)
class CaseHistory:
    """The runs of a case that can be compared with each other, by time."""

    id: str
    metric: JudgedMetric | None
    """None where it is unknown: the value is a rate then."""
    anchor: str | None
    """The digest of the anchor; None if some runs have none, or another one."""
    anchor_versions: Mapping[str, str]
    axes: Axes
    differs: tuple[str, ...]
    """Which of network, settings and anchor differ from the latest history of the case; empty for the latest one."""
    runs: tuple[CaseRun, ...]
    changes: tuple[LevelChange, ...] = ()

    @property
    def unmarked(self) -> tuple[LevelChange, ...]:
        """The changes that no note marks as wanted."""
        return tuple(change for change in self.changes if not change.is_wanted)

    @property
    def is_tested(self) -> bool:
        """Whether there are enough runs to show a change."""
        return len(self.runs) >= FEWEST_VALUES


@dataclass(frozen=True)
class Machine:
    """The accepted runs of one machine."""

    hardware: str
    """The name of the baseline's folder."""
    fingerprint: Mapping[str, Any]
    id: str | None
    """Hashed id, which distinguishes machines of equal hardware; None where it is unknown."""
    runs: tuple[Run, ...]
    cases: tuple[CaseHistory, ...]
    correlation: float | None = None
    """The correlation of each run with the next one, as a mean over the cases; None where chance explains it."""


@dataclass(frozen=True)
class History:
    """The history of a baseline."""

    machines: tuple[Machine, ...]
    damaged: tuple[tuple[str, str], ...] = ()
    """Files that were left out, with the reason."""

    @property
    def cases(self) -> list[CaseHistory]:
        """The histories of all cases on all machines."""
        return [case for machine in self.machines for case in machine.cases]


def history_of(baselines: Sequence[Baseline], is_asked: Callable[[str], bool]) -> History:
    """Return the history of the cases that are asked for, by their ids, with their changes.

    All histories share one rate of errors.
    """
    machines = [machine for baseline in baselines for machine in _machines(baseline, is_asked)]
    cases = [case for machine in machines for case in machine.cases]
    found = iter(change_points([_speeds(case) for case in cases]))
    machines = [_with_changes(machine, [next(found) for _ in machine.cases]) for machine in machines]
    damaged = tuple((str(path), why) for baseline in baselines for path, why in baseline.damaged)
    return History(tuple(machines), damaged)


def _machines(baseline: Baseline, is_asked: Callable[[str], bool]) -> list[Machine]:
    by_machine: dict[str | None, list[JudgedRun]] = {}
    for run in baseline.runs:
        by_machine.setdefault(run.machine_id, []).append(run)
    machines = [_machine(machine_id, runs, is_asked) for machine_id, runs in by_machine.items()]
    return [machine for machine in machines if machine.cases]


def _machine(machine_id: str | None, judged: Sequence[JudgedRun], is_asked: Callable[[str], bool]) -> Machine:
    runs = []
    known: dict[str, str] = {}
    for number, run in enumerate(judged, 1):
        software = {
            name: (known[name], version)
            for name, version in sorted(run.software.items())
            if known.get(name, version) != version
        }
        runs.append(Run(number, run.started_at, run.note, software))
        known |= run.software
    ids = dict.fromkeys(case_id for run in judged for case_id in run.cases if is_asked(case_id))
    cases = [case for case_id in ids for case in _histories(case_id, judged, runs)]
    fingerprint = judged[0].fingerprint
    return Machine(hardware_key(fingerprint), fingerprint, machine_id, tuple(runs), tuple(cases))


def _histories(case_id: str, judged: Sequence[JudgedRun], runs: Sequence[Run]) -> list[CaseHistory]:
    """Return a history for each network, settings and anchor of the case, the latest one last."""
    alike: dict[tuple[str | None, str | None, str | None], list[tuple[Run, JudgedCase]]] = {}
    for of_run, run in zip(judged, runs, strict=True):
        case = of_run.cases.get(case_id)
        if case is not None and case.trials:
            key = (case.network_hash, case.settings_digest, common_anchor([case]))
            alike.setdefault(key, []).append((run, case))
    if not alike:
        return []
    by_latest = sorted(alike.items(), key=lambda item: item[1][-1][0].number)
    latest = by_latest[-1][0]
    histories = []
    for key, found in by_latest:
        names = ("network", "settings", "anchor")
        differs = tuple(name for name, one, other in zip(names, key, latest, strict=True) if one != other)
        case, anchor = found[-1][1], key[-1]
        case_runs = tuple(_case_run(run, one, anchor) for run, one in found)
        of_anchor = case.anchor_versions if anchor is not None else {}
        histories.append(CaseHistory(case_id, case.metric, anchor, of_anchor, case.axes, differs, case_runs))
    return histories


def _case_run(run: Run, case: JudgedCase, anchor: str | None) -> CaseRun:
    value = Figure(*geometric_mean_interval([trial.value for trial in case.trials]))
    if anchor is None:
        return CaseRun(run, len(case.trials), value, None)
    ratio = Figure(*geometric_mean_interval([trial.value for trial in relative_to(case, anchor).trials]))
    return CaseRun(run, len(case.trials), value, ratio)


def _speeds(case: CaseHistory) -> list[float]:
    """Return the logarithms of what is compared; more is better."""
    is_reversed = case.anchor is None and case.metric is not None and case.metric.better == "lower"
    return [(-1 if is_reversed else 1) * math.log(one.compared.value) for one in case.runs]


def _with_changes(machine: Machine, found: Sequence[Sequence[ChangePoint]]) -> Machine:
    of_cases = list(zip(machine.cases, found, strict=True))
    levels = [
        np.split(np.array(_speeds(case)), [one.position for one in changes])
        for case, changes in of_cases
        if case.is_tested
    ]
    cases = tuple(
        replace(case, changes=tuple(_level_change(case, one, machine.runs) for one in changes))
        for case, changes in of_cases
    )
    return replace(machine, cases=cases, correlation=correlation_of(levels))


def _level_change(case: CaseHistory, found: ChangePoint, runs: Sequence[Run]) -> LevelChange:
    first = case.runs[found.position]
    before = case.runs[max(found.position - _NEAR - 1, 0)].run.number
    last = case.runs[min(found.position + _NEAR, len(case.runs) - 1)].run.number
    # A run that lacks the case can have the note: what changed then shows in the next one that has it.
    notes = [run.note for run in runs if before < run.number <= last and run.note]
    return LevelChange(first, found.size, found.low, found.high, "; ".join(notes))
