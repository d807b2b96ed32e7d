"""Warnings of cases that get a little slower from each accepted run to the next, which no single run shows."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from itertools import accumulate

from pytest_throughput.gate.drift import FEWEST_VALUES, Drift, Line, drifts_of
from pytest_throughput.gate.judged import JudgedRun
from pytest_throughput.gate.judged_metrics import Match, match_all
from pytest_throughput.gate.observations import Comparable, select_units
from pytest_throughput.gate.rules import Design, Rules
from pytest_throughput.gate.store_format import utc
from pytest_throughput.gate.verdict import CaseVerdict, Trend, Verdict
from pytest_throughput.gate.wording import bounded, wording_of

__all__ = ["trends"]


def trends(
    base: Sequence[JudgedRun],
    head: Sequence[JudgedRun],
    *,
    design: Design,
    rules: Rules,
    verdicts: Sequence[CaseVerdict],
) -> tuple[tuple[Trend, ...], int]:
    """Return the drifts to the worse over the runs of both sides, and in how many cases one was looked for.

    From the first run to the last, a drift is at least as large as the threshold. If no case drifts, the probability
    that any drift is returned is at most ``rules.false_alarm_rate``. Cases that are regressed are left out, since this
    run alone shows it. Nothing is looked for in runs of several machines: machines of one model differ.
    """
    selection = select_units(base, head, design)
    units = (*selection.base, *selection.head)
    if len({run.machine_id for unit in units for run in unit}) != 1:
        return (), 0
    order = sorted(range(len(units)), key=lambda index: utc(units[index][0].started_at))
    runs = [units[index][0] for index in order]
    wanted_before = list(accumulate(int(run.note != "") for run in runs))
    regressed = {(one.id, one.metric) for one in verdicts if one.verdict is Verdict.REGRESSED}
    ids = dict.fromkeys(case_id for run in head for case_id in run.cases)
    looked_at: list[tuple[Match, JudgedRun]] = []
    lines: list[Line] = []
    for one in match_all(ids, base, head, design, rules):
        if not isinstance(one.found, Comparable) or (one.found.id, one.metric) in regressed:
            continue
        figures = (*one.found.base, *one.found.head)
        there = [position for position, index in enumerate(order) if figures[index]]
        if len(there) >= FEWEST_VALUES:
            means = [statistics.fmean(figures[order[position]]) for position in there]
            pieces = [wanted_before[position] for position in there]
            lines.append(Line(means, pieces, least=math.log1p(one.threshold)))
            looked_at.append((one, runs[there[0]]))
    found = zip(looked_at, lines, drifts_of(lines, rules.false_alarm_rate), strict=True)
    return tuple(_trend(*where, line, drift) for where, line, drift in found if drift is not None), len(lines)


def _trend(one: Match, first: JudgedRun, line: Line, drift: Drift) -> Trend:
    assert isinstance(one.found, Comparable)
    words = wording_of(one.found.metric)
    low, high = words.change(drift.low), words.change(drift.high)
    return Trend(
        id=one.found.id,
        metric=one.metric,
        reason=f"{words.change(drift.slope)} from run to run (95 % interval {low} to {high}), "
        f"{words.change(drift.total)} over {len(line.values)} runs since {first.started_at[:10]}; "
        "no single jump explains it",
        runs=len(line.values),
        since=first.started_at,
        ratio=_ratio(drift.total),
        ratio_per_run=_ratio(drift.slope),
        ratio_per_run_low=_ratio(drift.low),
        ratio_per_run_high=_ratio(drift.high),
        shows_metric=one.shows_metric,
    )


def _ratio(log_ratio: float) -> float:
    return math.exp(bounded(log_ratio))
