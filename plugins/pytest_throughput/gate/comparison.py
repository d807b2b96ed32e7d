"""From the runs of two sides to a judgement; read from top to bottom, this file is the way of a verdict.

``with_baseline`` or ``between`` builds a :class:`Comparison`. Its ``verdicts`` calls ``judge``, which for
each metric that is judged (``judged_metrics``) selects units of replication and figures (``observations``),
estimates each case's change and its noise (``estimator``), decides (``decision``) and words the decision
(``messages``). Its ``judgement`` turns the verdicts into an exit status (``verdict``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pytest_throughput.gate import messages
from pytest_throughput.gate.anchors import anchors_compared
from pytest_throughput.gate.baseline_store import Store
from pytest_throughput.gate.decision import CODES, Decisions, decide, unless_slow_on_average
from pytest_throughput.gate.estimator import Estimates, estimate
from pytest_throughput.gate.from_results import GivenRun
from pytest_throughput.gate.given_sides import check_distinct, check_pairs
from pytest_throughput.gate.judged import JudgedRun
from pytest_throughput.gate.judged_metrics import match_all, notes_on_rules
from pytest_throughput.gate.observations import Comparable
from pytest_throughput.gate.rules import FEWEST_UNITS, Code, Design, Rules
from pytest_throughput.gate.scope import Scope, expected_of
from pytest_throughput.gate.slow_steps import as_differences, suspect_beside_anchor
from pytest_throughput.gate.verdict import CaseVerdict, Incomparable, Judgement, Verdict, exit_status
from pytest_throughput.gate.wording import bounded, wording_of
from pytest_throughput.text import printable

__all__ = ["Comparison", "between", "judge", "software_changes", "with_baseline"]

_DESIGNS = {
    Design.PAIRS: "in pairs of trials",
    Design.PAIRED_RUNS: "in pairs of runs",
    Design.GROUPS: "as two groups of runs",
}
_LIVE_PAIRS = "in live pairs (by the 10th percentile of the seconds per step)"
_VERDICTS = {
    Code.SLOWER: Verdict.REGRESSED,
    Code.FAR_SLOWER: Verdict.REGRESSED,
    Code.SLOWER_AT_TIMES: Verdict.REGRESSED,
    Code.SLOWER_ON_AVERAGE: Verdict.REGRESSED,
    Code.FASTER: Verdict.IMPROVED,
    Code.WITHIN_THRESHOLD: Verdict.UNCHANGED,
}
_MOST_FIGURES = 5_000_000
"""Limit for the array of one side (cases × units × trials); judging that many figures takes about 1.5 GB."""


# ------------------------------------------------------------------- what is compared with what


def with_baseline(head: Sequence[GivenRun], directory: Path, how_to_accept: str) -> Comparison:
    """Return the comparison of ``head`` with the accepted runs of the same hardware.

    ``how_to_accept``: the command that starts a baseline, for the message. Raises Incomparable where no
    run is accepted for this hardware, StoreError where the baseline cannot be read, and ValueError where
    the runs of head were measured on different hardware, or one of them is given twice.
    """
    check_distinct(head)
    runs = tuple(one.run for one in head)
    _check_hardware(runs)
    baseline = Store(directory).read(runs[0].fingerprint)
    accepted = tuple(run for run in baseline.runs if run not in runs)
    notes = [f"left out of the baseline: {printable(str(path))}: {printable(why)}" for path, why in baseline.damaged]
    if not accepted:
        where = printable(str(directory))
        what = "only the run itself is accepted" if baseline.runs else "no run is accepted for this hardware"
        others = f" (but for {baseline.other_hardware} other hardware)" if baseline.other_hardware else ""
        todo = f"accept runs that are good, and judge later ones by them: {how_to_accept}"
        enough = f"verdicts need {FEWEST_UNITS} accepted runs"
        raise Incomparable("; ".join([f"{where}: {what}{others}", *notes, todo, enough]))
    return Comparison(
        title=f"{_names(head)} against {messages.count(len(accepted), 'accepted run')} of {printable(str(directory))}",
        base=accepted,
        head=runs,
        design=Design.HISTORY if len(runs) == 1 else Design.GROUPS,
        scope=_scope(head),
        notes=tuple(notes),
    )


def between(base: Sequence[GivenRun], head: Sequence[GivenRun], *, paired: bool) -> Comparison:
    """Return the comparison of two sides that the caller gives.

    Two environments of one file are compared in pairs of trials. Otherwise ``paired`` says that the first
    run of base was measured next to the first run of head, and so on. Raises Incomparable for different
    hardware, and for a side without cases; ValueError for a run that is given twice, and for pairs that
    were not measured in turn on one machine.
    """
    check_distinct((*base, *head))
    runs_base, runs_head = (tuple(one.run for one in side) for side in (base, head))
    try:
        _check_hardware((*runs_base, *runs_head))
    except ValueError as error:
        raise Incomparable(f"{error}; compare runs of the same hardware") from None
    for side, runs in (("base", runs_base), ("head", runs_head)):
        if not any(run.cases for run in runs):
            raise Incomparable(f"{side} has no cases; compare runs that have measured something")
    in_one_run = len(base) == len(head) == 1 and base[0].file == head[0].file
    if in_one_run:
        design = Design.PAIRS
    elif paired:
        check_pairs(base, head)
        design = Design.PAIRED_RUNS
    else:
        design = Design.GROUPS
    how = _LIVE_PAIRS if any(map(_has_live_pairs, runs_head)) and in_one_run else _DESIGNS[design]
    return Comparison(
        title=f"{_names(head)} against {_names(base)}, {how}",
        base=runs_base,
        head=runs_head,
        design=design,
        scope=_scope(head),
    )


@dataclass(frozen=True)
class Comparison:
    """The runs of both sides, ordered by time, and how they were measured."""

    title: str
    base: tuple[JudgedRun, ...]
    head: tuple[JudgedRun, ...]
    design: Design
    scope: Scope
    """What the runs of head were asked to measure."""
    notes: tuple[str, ...] = ()

    def verdicts(self, rules: Rules) -> tuple[CaseVerdict, ...]:
        """Return a verdict for every case and metric. Raises ValueError where the runs do not fit the design."""
        return judge(self.base, self.head, design=self.design, rules=rules, is_expected=self._is_expected)

    def judgement(self, verdicts: Sequence[CaseVerdict], fail_on: Collection[str], rules: Rules) -> Judgement:
        """Return the result of the comparison, given its verdicts. ``fail_on``: see ``exit_status``."""
        base, head = ({case_id for run in side for case_id in run.cases} for side in (self.base, self.head))
        left_out = len(base - head - {one.id for one in verdicts})
        notes = [*self.notes, *anchors_compared(verdicts, self.head)]
        if left_out:
            why = "not asked for" if self.scope.deselected is not None else "and whether they were asked for is unknown"
            notes.append(f"not in this run, {why}: {messages.count(left_out, 'case')} of the baseline")
        notes += notes_on_rules(rules, verdicts, self.base, self.head)
        return Judgement(
            title=self.title,
            exit_status=exit_status(verdicts, fail_on, rules.metrics),
            verdicts=tuple(verdicts),
            software=software_changes(self.base, self.head),
            notes=tuple(notes),
        )

    @property
    def _is_expected(self) -> Callable[[str], bool]:
        if self.design is Design.PAIRS:  # One run measured both environments, and knows all cases asked for.
            return self.scope.asked.__contains__
        return expected_of(self.scope, self.base)


def _check_hardware(runs: Sequence[JudgedRun]) -> None:
    if any(run.fingerprint != runs[0].fingerprint for run in runs):
        raise ValueError("the runs are of different hardware, or were given different numbers of threads")


def _scope(runs: Sequence[GivenRun]) -> Scope:
    return reduce(or_, (one.scope for one in runs))


def _has_live_pairs(run: JudgedRun) -> bool:
    return any(trial.pair is not None for case in run.cases.values() for trial in case.trials)


def _names(runs: Sequence[GivenRun]) -> str:
    return runs[0].name if len(runs) == 1 else f"{len(runs)} runs ({runs[0].name}, …)"


# ------------------------------------------------------------------- from runs to verdicts


def judge(
    base: Sequence[JudgedRun],
    head: Sequence[JudgedRun],
    *,
    design: Design,
    rules: Rules,
    is_expected: Callable[[str], bool] = lambda case_id: True,
) -> tuple[CaseVerdict, ...]:
    """Return a verdict for every case and metric: first the cases of head in their order, then those that head lacks.

    Both sides are runs ordered by time. ``is_expected`` says whether a case of base that head lacks was
    asked for and not deselected; only then is it reported as missing, otherwise it is left out. A case that base has
    never measured, such as one that was unsupported, is not missing.

    Raises ValueError where the runs do not fit the design, or were measured on different hardware.
    """
    _check(base, head, design)
    in_head = dict.fromkeys(case_id for run in head for case_id in run.cases)
    measured = dict.fromkeys(case_id for run in base for case_id, case in run.cases.items() if case.trials)
    only_in_base = [case_id for case_id in measured if case_id not in in_head]
    ids = [*in_head, *(case_id for case_id in only_in_base if is_expected(case_id))]
    found = match_all(ids, base, head, design, rules)
    to_compare: dict[str, list[tuple[Comparable, float]]] = {}
    for one in found:
        if isinstance(one.found, Comparable):
            to_compare.setdefault(one.asked, []).append((one.found, one.threshold))
    # Each metric is judged by itself, and they share the false alarms of the run (Bonferroni).
    shared = replace(rules, false_alarm_rate=rules.false_alarm_rate / max(len(to_compare), 1))
    compared = {asked: iter(_compare(cases, design, shared)) for asked, cases in to_compare.items()}
    return tuple(
        one.named(next(compared[one.asked]) if isinstance(one.found, Comparable) else one.found) for one in found
    )


def _compare(cases: Sequence[tuple[Comparable, float]], design: Design, rules: Rules) -> list[CaseVerdict]:
    """Judge the cases of one metric, each with its threshold; those beside an anchor apart from the others.

    Shifts between runs do not move ratios to an anchor, so their noise is estimated apart. Each part of the cases has
    its share of the false-alarm rate.
    """
    verdicts: dict[int, CaseVerdict] = {}
    for is_anchored in (False, True):
        part = [index for index, (case, _) in enumerate(cases) if (case.anchor is not None) is is_anchored]
        if part:
            share = replace(rules, false_alarm_rate=rules.false_alarm_rate * len(part) / len(cases))
            verdicts |= zip(part, _compare_alike([cases[index] for index in part], design, share), strict=True)
    return [verdicts[index] for index in range(len(cases))]


def _check(base: Sequence[JudgedRun], head: Sequence[JudgedRun], design: Design) -> None:
    if not base or not head:
        raise ValueError("expected at least one run on each side")
    if any(run.fingerprint != head[0].fingerprint for run in (*base, *head)):
        raise ValueError("the runs are of different hardware; expected one fingerprint")
    if design is Design.PAIRS and (len(base), len(head)) != (1, 1):
        raise ValueError(f"pairs of trials: expected one run in two environments, got {len(base)} and {len(head)}")
    if design is Design.PAIRED_RUNS and len(base) != len(head):
        raise ValueError(f"pairs of runs: expected as many of base as of head, got {len(base)} and {len(head)}")
    if design is Design.HISTORY and len(head) != 1:
        raise ValueError(f"history: expected one run to judge against accepted ones, got {len(head)}")


def _compare_alike(cases: Sequence[tuple[Comparable, float]], design: Design, rules: Rules) -> list[CaseVerdict]:
    """Estimate and decide all cases at once, each with its threshold, since together they show the noise."""
    estimates = estimate(
        _as_array([case.base for case, _ in cases]),
        _as_array([case.head for case, _ in cases]),
        design=design,
        false_alarm_rate=rules.level,
        missed_rate=rules.missed_rate,
        in_turn=np.array([case.in_turn for case, _ in cases]),
    )
    means = as_differences([case.means for case, _ in cases]) if any(case.means for case, _ in cases) else None
    thresholds = np.array([threshold for _, threshold in cases])
    decisions = decide(estimates, rules, means, thresholds)
    if all(case.anchor is not None for case, _ in cases):
        base, head = (_as_array([case.by_mean[side] for case, _ in cases]) for side in (0, 1))
        suspect = suspect_beside_anchor(base, head, design, rules, np.log1p(thresholds))
        decisions = unless_slow_on_average(decisions, *suspect)
    return [
        _verdict(case, index, estimates, decisions, design, replace(rules, threshold=threshold))
        for index, (case, threshold) in enumerate(cases)
    ]


def _as_array(cases: Sequence[tuple[tuple[float, ...], ...]]) -> NDArray[np.float64]:
    """Return an array of shape (cases, units, trials), NaN where there is no trial."""
    units = max(len(case) for case in cases)
    trials = max(len(unit) for case in cases for unit in case)
    if len(cases) * units * trials > _MOST_FIGURES:
        raise ValueError(
            f"{len(cases):,} cases in {units:,} runs with up to {trials:,} trials are too many to be judged at once, "
            f"over {_MOST_FIGURES:,} figures; give fewer runs, or runs with fewer trials"
        )
    array = np.full((len(cases), units, max(trials, 1)), np.nan)
    for row, case in enumerate(cases):
        for column, unit in enumerate(case):
            array[row, column, : len(unit)] = unit
    return array


def _verdict(
    case: Comparable, index: int, estimates: Estimates, decisions: Decisions, design: Design, rules: Rules
) -> CaseVerdict:
    """Return the verdict of the case at that index of the arrays."""
    code = CODES[decisions.codes[index]]
    evidence = messages.Evidence(
        design=design,
        rules=rules,
        difference=float(estimates.difference[index]),
        margin=float(estimates.margin[index]),
        half_interval=float(estimates.half_interval[index]),
        units=int(estimates.units[index]),
        runs_base=case.runs_base,
        units_are_machines=sum(map(bool, case.base)) < case.runs_base,
        trials_base=int(estimates.trials_base[index]),
        trials_head=int(estimates.trials_head[index]),
        tail_head=int(estimates.tail_head[index]),
        tail_base=int(estimates.tail_base[index]),
        outliers=int(estimates.outliers[index]),
        detectable=float(decisions.detectable[index]),
        mean_difference=float(decisions.mean_difference[index]),
        separation_limit=decisions.separation_limit,
        words=wording_of(case.metric),
        is_anchored=case.anchor is not None,
    )
    has_interval = math.isfinite(evidence.half_interval) and evidence.units >= FEWEST_UNITS
    return CaseVerdict(
        id=case.id,
        verdict=_VERDICTS.get(code, Verdict.INCONCLUSIVE),
        code=code,
        reason=messages.compared(code, evidence),
        ratio=_ratio(evidence.difference) if evidence.trials_base and evidence.trials_head else None,
        ratio_low=_ratio(evidence.low) if has_interval else None,
        ratio_high=_ratio(evidence.high) if has_interval else None,
        trials_base=evidence.trials_base,
        trials_head=evidence.trials_head,
        runs_base=case.runs_base,
        detectable_ratio=_ratio(-evidence.detectable) if math.isfinite(evidence.detectable) else None,
        noise_between=_share(estimates.noise_between[index]),
        noise_within=_share(estimates.noise_within[index]),
        anchor=case.anchor,
        is_decidable=bool(decisions.decidable[index]),
    )


def _ratio(log_ratio: float) -> float:
    return math.exp(bounded(log_ratio))


def _share(deviation_of_logs: float) -> float | None:
    return None if math.isnan(deviation_of_logs) else math.expm1(bounded(deviation_of_logs))


def software_changes(base: Sequence[JudgedRun], head: Sequence[JudgedRun]) -> dict[str, tuple[str | None, str | None]]:
    """Return the versions that differ between the last runs of the two sides: by name, (of base, of head)."""
    before, after = base[-1].software, head[-1].software
    names = sorted({*before, *after})
    return {name: (before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)}
