"""The metrics by which cases are judged: the primary one of each case, or those that ``--throughput-judge`` names.

Each metric is judged by itself. A ``_View`` holds the values of one metric alone, so that the rest of the gate
sees one value per trial, whatever is judged.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from pytest_throughput.gate import uncompared
from pytest_throughput.gate.judged import JudgedCase, JudgedMetric, JudgedRun
from pytest_throughput.gate.observations import Comparable, Selection, match, select_units
from pytest_throughput.gate.rules import Code, Design, Rules
from pytest_throughput.gate.verdict import CaseVerdict, Verdict
from pytest_throughput.results.model import RATE
from pytest_throughput.text import listed

__all__ = ["Match", "match_all", "notes_on_rules"]

_OF_THE_VIEW = (Code.TOO_FEW_RUNS, Code.UNSEEN_INDIVIDUAL, Code.ANCHOR_CHANGED)
"""Codes of verdicts without a comparison that another metric of the case need not have."""
_UNKNOWN_IN_SHARED_PROCESSES = ("first_step_seconds", "build_seconds", "peak_memory_bytes")
_SHARED_PROCESSES = ('"framework"', '"none"')
"""Isolations, as the settings of a case give them."""


@dataclass(frozen=True)
class Match:
    """A case and a metric, with the figures that can be compared, or with a verdict if there are none."""

    asked: str
    """The metric that was asked for; empty for the primary one."""
    metric: str
    """The name of the metric, which may be another rate than the one that was asked for."""
    threshold: float
    shows_metric: bool
    found: CaseVerdict | Comparable

    def named(self, verdict: CaseVerdict) -> CaseVerdict:
        """Return the verdict with the metric and the threshold."""
        return replace(verdict, metric=self.metric, threshold=self.threshold, shows_metric=self.shows_metric)


def match_all(
    ids: Iterable[str], base: Sequence[JudgedRun], head: Sequence[JudgedRun], design: Design, rules: Rules
) -> list[Match]:
    """Return a match for each of these cases and each metric that is judged and that the case has.

    A verdict on the case as a whole, such as missing, is given once.
    """
    primary, *views = (_View.of(name, base, head, design, rules.metrics) for name in ("", *rules.metrics))
    matches = []
    for case_id in ids:
        of_case, name = primary.match(case_id, design), primary.metric_name(case_id)
        if not views or not (isinstance(of_case, Comparable) or of_case.code in _OF_THE_VIEW):
            matches.append(Match("", name, rules.threshold_of(case_id, name), False, of_case))
            continue
        shares_process = any(_shares_process(run.cases[case_id]) for run in head if case_id in run.cases)
        for view in views:
            found, metric = view.match_metric(case_id, design, shares_process), view.metric_name(case_id)
            if found is not None:
                shows_metric = len(views) > 1 or metric != name
                matches.append(Match(view.name, metric, rules.threshold_of(case_id, metric), shows_metric, found))
    return matches


def notes_on_rules(
    rules: Rules, verdicts: Sequence[CaseVerdict], base: Sequence[JudgedRun], head: Sequence[JudgedRun]
) -> list[str]:
    """Return notes that name the metrics that no case has, and the patterns of thresholds that nothing matches."""
    cases = [case for run in (*base, *head) for case in run.cases.values()]
    notes = []
    unknown = [name for name in rules.metrics if not any(_may_have(case, name, rules.metrics) for case in cases)]
    if unknown:
        names = list(dict.fromkeys(name for case in cases if case.trials for name in case.metric_names))
        there = listed(names) or "no figures"
        notes.append(f"no case has {' or '.join(unknown)}; the cases have: {there}")
    in_run = {(case.id, name) for run in head for case in run.cases.values() for name in case.metric_names}
    unused = rules.thresholds.unused(in_run | {(one.id, one.metric) for one in verdicts})
    if unused:
        patterns = [one.cases if one.metrics == "*" else f"{one.cases} with {one.metrics}" for one in unused]
        notes.append(f"thresholds that no case of this run has: {listed(patterns)}")
    return notes


@dataclass(frozen=True)
class _View:
    """Both sides of a comparison, with the values of one metric."""

    name: str
    """The metric that was asked for; empty for the primary one of each case."""
    base: tuple[JudgedRun, ...]
    head: tuple[JudgedRun, ...]
    selection: Selection

    @classmethod
    def of(
        cls, name: str, base: Sequence[JudgedRun], head: Sequence[JudgedRun], design: Design, asked: Collection[str]
    ) -> _View:
        """Return the view of a metric. ``asked``: all metrics that were asked for."""
        of_base, of_head = tuple(base), tuple(head)
        if name:
            of_base, of_head = _with_metric(name, of_base, asked), _with_metric(name, of_head, asked)
        return cls(name, of_base, of_head, select_units(of_base, of_head, design))

    def match(self, case_id: str, design: Design) -> CaseVerdict | Comparable:
        """Return the figures of a case that can be compared, or its verdict if there are none."""
        found = match(case_id, self.base, self.head, self.selection, design)
        return replace(found, metric=self.metric(case_id)) if isinstance(found, Comparable) else found

    def match_metric(self, case_id: str, design: Design, shares_process: bool) -> CaseVerdict | Comparable | None:
        """Do the same for a case that both sides have measured; return None where neither side has the metric.

        ``shares_process``: whether head measured the case in one process with others.
        """
        in_base, in_head = (any(case_id in run.cases for run in side) for side in (self.base, self.head))
        if in_base and in_head:
            return self.match(case_id, design)
        if shares_process and self.name in _UNKNOWN_IN_SHARED_PROCESSES:
            reason = uncompared.unknown_in_shared_process(self.name)
            return CaseVerdict(case_id, Verdict.INCOMPARABLE, Code.NO_METRIC, reason)
        if in_head:
            return CaseVerdict(case_id, Verdict.NEW, Code.NO_BASELINE, uncompared.new_metric(self.name))
        if in_base:
            return CaseVerdict(case_id, Verdict.INCOMPARABLE, Code.NO_METRIC, uncompared.lost_metric(self.name))
        return None

    def metric(self, case_id: str) -> JudgedMetric | None:
        """Return the metric of a case; None if it is unknown."""
        cases = (run.cases.get(case_id) for run in (*reversed(self.head), *reversed(self.base)))
        return next((case.metric for case in cases if case is not None and case.metric is not None), None)

    def metric_name(self, case_id: str) -> str:
        """Return the name of the metric of a case."""
        metric = self.metric(case_id)
        return self.name or RATE if metric is None else metric.name


def _with_metric(name: str, runs: Sequence[JudgedRun], asked: Collection[str]) -> tuple[JudgedRun, ...]:
    """Return the runs with the cases that have a metric, and its values."""
    found = []
    for run in runs:
        cases = (_judged_by(case, name, asked) for case in run.cases.values())
        found.append(replace(run, cases={case.id: case for case in cases if case is not None}))
    return tuple(found)


def _judged_by(case: JudgedCase, name: str, asked: Collection[str]) -> JudgedCase | None:
    """Return the case with the values of a metric; None if it has none.

    ``images_per_second`` also stands for another rate, unless that one is asked for, too.
    """
    stands_for_it = name == RATE and case.has_rate and case.metric_name not in asked
    if name == case.metric_name or stands_for_it:
        return case if case.trials else None
    return case.by(name)


def _may_have(case: JudgedCase, name: str, asked: Collection[str]) -> bool:
    is_unknown = name in _UNKNOWN_IN_SHARED_PROCESSES and _shares_process(case)
    return is_unknown or _judged_by(case, name, asked) is not None


def _shares_process(case: JudgedCase) -> bool:
    """Return whether the case was measured in one process with others."""
    return case.settings.get("isolation") in _SHARED_PROCESSES
