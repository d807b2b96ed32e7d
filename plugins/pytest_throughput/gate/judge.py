"""From the runs of two sides to a verdict for each case and metric.

For each metric that is judged (``judged_metrics``), ``judge`` selects units of replication and figures
(``observations``), estimates each case's change and its noise (``estimator``), decides (``decision``) and words the
decision (``messages``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pytest_throughput.gate import messages
from pytest_throughput.gate.decision import CODES, Decisions, decide, unless_slow_on_average
from pytest_throughput.gate.estimator import Estimates, estimate
from pytest_throughput.gate.judged import JudgedRun
from pytest_throughput.gate.judged_metrics import match_all
from pytest_throughput.gate.observations import Comparable
from pytest_throughput.gate.rules import FEWEST_UNITS, Code, Design, Rules
from pytest_throughput.gate.slow_steps import as_differences, suspect_beside_anchor
from pytest_throughput.gate.verdict import CaseVerdict, Verdict
from pytest_throughput.gate.wording import bounded, wording_of

__all__ = ["judge"]

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
        own_errors=np.array([case.own_error for case, _ in cases]),
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
        own_error=case.own_error,
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
