"""The observations of a comparison: which runs are units of replication, and which figures of a case are compared."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pytest_throughput.gate import uncompared
from pytest_throughput.gate.anchors import anchor_changed, common_anchor, relative_to
from pytest_throughput.gate.judged import JudgedCase, JudgedMetric, JudgedRun
from pytest_throughput.gate.live_pairs import sides_of
from pytest_throughput.gate.rules import FEWEST_FOR_FAR, FEWEST_UNITS, Code, Design
from pytest_throughput.gate.verdict import CaseVerdict, Verdict
from pytest_throughput.results.model import Pair

__all__ = ["Comparable", "Selection", "Unit", "match", "select_units"]

Unit = tuple[JudgedRun, ...]
"""Runs that count as one unit of replication: a single run, or all runs of one machine where machines are the units."""

_FEWEST_MACHINES = 3
"""Fewest machines in a baseline to judge a machine that is not among them."""


@dataclass(frozen=True)
class Selection:
    """The units of each side; or the code and the sentence that say why nothing can be compared."""

    base: tuple[Unit, ...] = ()
    head: tuple[Unit, ...] = ()
    refusal: tuple[Code, str] | None = None


def select_units(base: Sequence[JudgedRun], head: Sequence[JudgedRun], design: Design) -> Selection:
    """Return the units of replication.

    Machines of one model differ by up to 8 %, so that a run cannot be judged by the runs of one other
    machine. If there are enough runs of head's own machine, only these are used. Otherwise each machine
    is one unit, however many runs it has, and there must be at least three. Failing that, two runs of
    head's own machine show what lies beyond all noise. All runs whose machine is unknown count as runs
    of the same machine.
    """
    single = tuple((run,) for run in base), tuple((run,) for run in head)
    if design.is_paired:
        return Selection(*single)
    machines_head = {run.machine_id for run in head}
    own = tuple((run,) for run in base if run.machine_id in machines_head)
    if own and len(machines_head) == 1 and len(own) + len(head) - 1 >= FEWEST_UNITS:
        return Selection(own, single[1])
    machines_base = {run.machine_id for run in base}
    if len(machines_base) >= _FEWEST_MACHINES:
        return Selection(_by_machine(base), _by_machine(head))
    if own and len(machines_head) == 1 and len(own) + len(head) - 1 >= FEWEST_FOR_FAR:
        return Selection(own, single[1])
    if len(machines_head) > 1:
        return Selection(refusal=(Code.TOO_FEW_RUNS, uncompared.too_few_machines(len(machines_base))))
    if machines_head <= machines_base:
        if design is Design.GROUPS:
            return Selection(refusal=(Code.TOO_FEW_RUNS, uncompared.too_few_in_groups(len(own) + len(head))))
        return Selection(refusal=(Code.TOO_FEW_RUNS, uncompared.too_few_runs(len(own), len(base))))
    return Selection(refusal=(Code.UNSEEN_INDIVIDUAL, uncompared.unseen_machine(len(machines_base))))


def _by_machine(runs: Sequence[JudgedRun]) -> tuple[Unit, ...]:
    machines = dict.fromkeys(run.machine_id for run in runs)
    return tuple(tuple(run for run in runs if run.machine_id == machine) for machine in machines)


_STATUS_RANK = {"ok": 0, "unsupported": 1, "out_of_memory": 2}
_WORST_RANK = 3
"""The rank of ``crashed``, ``timed_out``, ``failed``, and of any unknown status."""

Units = tuple[tuple[float, ...], ...]
"""Logarithms of values, by unit and trial; more is better."""


@dataclass(frozen=True)
class Comparable:
    """The figures of a case that both sides measured."""

    id: str
    base: Units
    head: Units
    runs_base: int
    in_turn: bool = False
    """Whether its pairs are live, so that only the differences of their sides are evidence."""
    means: tuple[float, ...] = ()
    """log(mean speed of head ÷ that of base) of each live pair; empty where they are unknown."""
    metric: JudgedMetric | None = None
    """The metric whose values these are; None where it is unknown."""
    anchor: str | None = None
    """The digest of the anchor to which the figures are relative; None if they are absolute."""
    by_mean: tuple[Units, Units] = ((), ())
    """The figures of base and head by the means of the slices; empty without an anchor."""
    own_error: float = 0.0
    """The standard error of the difference that the trials themselves give, and that no number of them reduces."""


def match(
    case_id: str, base: Sequence[JudgedRun], head: Sequence[JudgedRun], selection: Selection, design: Design
) -> CaseVerdict | Comparable:
    """Return the figures of a case that can be compared, or its verdict if there are none."""
    before = [run.cases[case_id] for run in base if case_id in run.cases]
    now = [run.cases[case_id] for run in head if case_id in run.cases]
    if not now:
        return CaseVerdict(case_id, Verdict.MISSING, Code.NOT_IN_RUN, uncompared.missing(len(before)))
    measured = [one for one in before if one.trials]
    status_before = "ok" if measured else before[-1].status if before else None
    status_now = max((one.status for one in now), key=_rank)
    if status_before is None or (not measured and status_now == "ok"):
        return CaseVerdict(case_id, Verdict.NEW, Code.NO_BASELINE, uncompared.new(status_before, status_now))
    if _rank(status_now) > _rank(status_before):
        return CaseVerdict(case_id, Verdict.FAILED, Code.STATUS, uncompared.worse_status(status_before, status_now))
    if not measured or not any(one.trials for one in now):
        return CaseVerdict(case_id, Verdict.INCOMPARABLE, Code.STATUS, uncompared.no_figures(status_now))
    return _match_figures(case_id, measured, now, selection, design)


def _match_figures(
    case_id: str, measured: Sequence[JudgedCase], now: Sequence[JudgedCase], selection: Selection, design: Design
) -> CaseVerdict | Comparable:
    network, settings = now[-1].network_hash, now[-1].settings_digest

    def alike(cases: Sequence[JudgedCase]) -> list[JudgedCase]:
        return [one for one in cases if _same(one.network_hash, network) and _same(one.settings_digest, settings)]

    same_network = [one for one in measured if _same(one.network_hash, network)]
    if not same_network:
        return CaseVerdict(case_id, Verdict.INCOMPARABLE, Code.NETWORK_CHANGED, uncompared.NETWORK_CHANGED)
    if not alike(measured):
        reason = uncompared.settings_changed(same_network[-1].settings, now[-1].settings)
        return CaseVerdict(case_id, Verdict.INCOMPARABLE, Code.SETTINGS_CHANGED, reason)
    anchor = None if design.is_paired else common_anchor(now)
    if anchor is not None and not any(relative_to(one, anchor).trials for one in alike(measured)):
        reason = anchor_changed(alike(measured), now[-1], anchor)
        return CaseVerdict(case_id, Verdict.NEW, Code.ANCHOR_CHANGED, reason)
    if selection.refusal is not None:
        return CaseVerdict(case_id, Verdict.INCONCLUSIVE, *selection.refusal)

    def results(runs: Sequence[JudgedRun], *, by_mean: bool = False) -> list[JudgedCase]:
        found = alike([run.cases[case_id] for run in runs if case_id in run.cases])
        compared = found if anchor is None else [relative_to(one, anchor, by_mean=by_mean) for one in found]
        return [one for one in compared if one.trials]

    def units(side: Sequence[Unit], *, by_mean: bool = False) -> Units:
        return tuple(
            tuple(one.logarithm(trial) for one in results(unit, by_mean=by_mean) for trial in one.trials)
            for unit in side
        )

    sides = ([one for unit in side for one in results(unit)] for side in (selection.base, selection.head))
    of_base, of_head = map(_own_error, sides)
    # A side without one, such as a baseline from before they were kept, is known no better than the other.
    own_error = math.hypot(of_base or of_head, of_head or of_base)
    if design is Design.PAIRS:
        compared = _in_pairs(case_id, results(selection.base[0]), results(selection.head[0]))
        return replace(compared, own_error=own_error)
    runs_base = sum(1 for unit in selection.base for run in unit if results((run,)))
    figures = units(selection.base), units(selection.head)
    compared = Comparable(case_id, *figures, runs_base, anchor=anchor, own_error=own_error)
    if anchor is None:
        return compared
    by_mean = units(selection.base, by_mean=True), units(selection.head, by_mean=True)
    return replace(compared, by_mean=by_mean)


def _in_pairs(case_id: str, base: Sequence[JudgedCase], head: Sequence[JudgedCase]) -> Comparable:
    """Return the figures of a case whose trials with the same number, in one run of each side, are pairs.

    Each trial is a unit, at the same position on both sides for the same number; the unit of a missing trial is empty.
    Only the difference of the sides of a live pair is used, which its slices gave: what slows both is no evidence.
    """
    trials = [{trial.number: trial for one in side for trial in one.trials} for side in (base, head)]
    sides = [{trial.number: one.logarithm(trial) for one in side for trial in one.trials} for side in (base, head)]
    live: dict[int, Pair] = {}
    for number in trials[0].keys() & trials[1].keys():
        first, second = trials[0][number].pair, trials[1][number].pair
        if first is not None and second is not None and first.id == second.id:
            live[number] = second
    if live:
        mean = statistics.median((sides[0][number] + sides[1][number]) / 2 for number in live)
        of_pairs = sides_of(np.array([math.log(pair.ratio) for pair in live.values()]))
        for side, values in zip(sides, of_pairs, strict=True):
            side.update(zip(live, (mean + values).tolist(), strict=True))
    numbers = sorted(sides[0].keys() | sides[1].keys())
    of_base, of_head = (tuple((side[number],) if number in side else () for number in numbers) for side in sides)
    means = tuple(math.log(pair.mean_ratio) for pair in live.values() if pair.mean_ratio is not None)
    return Comparable(case_id, of_base, of_head, min(1, len(base)), bool(live), means)


def _own_error(cases: Sequence[JudgedCase]) -> float:
    """Return the standard error that the trials of one side give: that of a typical one, not that of their mean.

    Accuracies of trials on the same test examples have the same error. Trials that give none are left out.
    """
    squares = [error**2 for one in cases for trial in one.trials if (error := one.own_error(trial))]
    return math.sqrt(statistics.fmean(squares)) if squares else 0.0


def _rank(status: str) -> int:
    return _STATUS_RANK.get(status, _WORST_RANK)


def _same(one: str | None, other: str | None) -> bool:
    """Return whether two digests are equal; an unknown digest is equal to any."""
    return one is None or other is None or one == other
