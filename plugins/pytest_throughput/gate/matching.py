"""Which figures of a case may be compared at all, and what to say of a case that has none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_throughput.gate import sentences
from pytest_throughput.gate.runs import CaseResult, Run, Trial
from pytest_throughput.gate.units import Selection
from pytest_throughput.gate.verdicts import CaseVerdict, Code, Design, Verdict

__all__ = ["Comparable", "match"]

_STATUS_RANK = {"ok": 0, "unsupported": 1, "out_of_memory": 2}
_WORST_RANK = 3
"""Of ``crashed``, ``timed_out``, ``failed``, and of any status that we do not know."""


Units = tuple[tuple[float, ...], ...]
"""Logarithms of images/second, by unit and trial."""


@dataclass(frozen=True)
class Comparable:
    """A case that both sides measured."""

    id: str
    base: Units
    head: Units
    runs_base: int


def match(
    case_id: str, base: Sequence[Run], head: Sequence[Run], selection: Selection, design: Design
) -> CaseVerdict | Comparable:
    """What can be compared of a case, or the verdict where nothing can."""
    before = [run.cases[case_id] for run in base if case_id in run.cases]
    now = [run.cases[case_id] for run in head if case_id in run.cases]
    if not now:
        return CaseVerdict(case_id, Verdict.MISSING, Code.NOT_IN_RUN, sentences.missing(len(before)))
    measured = [one for one in before if one.trials]
    status_before = "ok" if measured else before[-1].status if before else None
    status_now = max((one.status for one in now), key=_rank)
    if status_before is None or (not measured and status_now == "ok"):
        return CaseVerdict(case_id, Verdict.NEW, Code.NO_BASELINE, sentences.new(status_before, status_now))
    if _rank(status_now) > _rank(status_before):
        return CaseVerdict(case_id, Verdict.FAILED, Code.STATUS, sentences.worse_status(status_before, status_now))
    if not measured or not any(one.trials for one in now):
        return CaseVerdict(case_id, Verdict.INCOMPARABLE, Code.STATUS, sentences.no_figures(status_now))
    return _match_figures(case_id, measured, now, selection, design)


def _match_figures(
    case_id: str, measured: Sequence[CaseResult], now: Sequence[CaseResult], selection: Selection, design: Design
) -> CaseVerdict | Comparable:
    network, settings = now[-1].network_hash, now[-1].settings_digest
    same_network = [one for one in measured if _same(one.network_hash, network)]
    if not same_network:
        return CaseVerdict(case_id, Verdict.INCOMPARABLE, Code.NETWORK_CHANGED, sentences.NETWORK_CHANGED)
    if not any(_same(one.settings_digest, settings) for one in same_network):
        return CaseVerdict(case_id, Verdict.INCOMPARABLE, Code.SETTINGS_CHANGED, sentences.SETTINGS_CHANGED)
    if selection.refusal is not None:
        return CaseVerdict(case_id, Verdict.INCONCLUSIVE, *selection.refusal)

    def results(runs: Sequence[Run]) -> list[CaseResult]:
        all_results = [run.cases[case_id] for run in runs if case_id in run.cases]
        return [
            one
            for one in all_results
            if one.trials and _same(one.network_hash, network) and _same(one.settings_digest, settings)
        ]

    if design is Design.PAIRS:
        units_base, units_head = _by_number(results(selection.base[0]), results(selection.head[0]))
    else:
        units_base, units_head = (
            tuple(tuple(_log(trial) for one in results(unit) for trial in one.trials) for unit in side)
            for side in (selection.base, selection.head)
        )
    runs_base = sum(1 for unit in selection.base for run in unit if results((run,)))
    return Comparable(case_id, units_base, units_head, runs_base)


def _by_number(base: Sequence[CaseResult], head: Sequence[CaseResult]) -> tuple[Units, Units]:
    """Each trial a unit, those of one number in one place; a trial that one side lacks leaves it empty."""
    sides = [{trial.number: _log(trial) for one in side for trial in one.trials} for side in (base, head)]
    numbers = sorted(sides[0].keys() | sides[1].keys())
    of_base, of_head = (tuple((side[number],) if number in side else () for number in numbers) for side in sides)
    return of_base, of_head


def _log(trial: Trial) -> float:
    return math.log(trial.images_per_second)


def _rank(status: str) -> int:
    return _STATUS_RANK.get(status, _WORST_RANK)


def _same(one: str | None, other: str | None) -> bool:
    """Whether two digests agree, as far as they are known."""
    return one is None or other is None or one == other
