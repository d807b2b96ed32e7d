"""Confirmation: undecided cases get more trials in fresh processes, and are judged again at planned looks.

The looks are planned before anything is measured (``planned_looks``). Each judges every case by all trials so
far. A case that a look decides keeps its verdict and gets no further trials; the others get the trials of the
next look, those with the widest intervals first.

Each look is a further chance for an error, so the allowed errors are shared out (Bonferroni). The false alarms
of all looks add up to those of the run, whichever cases go on. The first look may call a slowdown of exactly the
threshold unchanged with the probability of a run without confirmation (2.5 %), and all later ones together with
the same: 5 % in all. Where confirmation ends early, the last judgement has the errors of the last look: what ends
it (a budget, an interruption) does not depend on which side is slower.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pytest_throughput.gate.rules import WORTH_CONFIRMING, Code, Design, Rules
from pytest_throughput.gate.verdict import CaseVerdict, Verdict

__all__ = ["Look", "after_look", "planned_looks", "to_confirm"]

_GROWTH = 1.5
"""The factor, about, by which the number of trials grows from look to look."""
_MOST_LOOKS = 4
_EARLY_FALSE_ALARMS = 0.1
"""The share of the false-alarm rate for all looks before the last; simulated in ``docs/gate-figures.md``."""
_DECIDED = (Verdict.REGRESSED, Verdict.IMPROVED, Verdict.UNCHANGED)


@dataclass(frozen=True)
class Look:
    """A planned judgement of all cases."""

    number: int
    """Counted from 1."""
    trials: int
    """The trials of an undecided case at this look; in pairs, of each side."""
    rules: Rules
    """The rules of the run, with the errors that this look may make."""


def planned_looks(trials: int, more: int, rules: Rules) -> tuple[Look, ...]:
    """Return the looks of a run that measures so many trials of each case, and ``more`` of undecided ones at most.

    The first look is after ``trials``, the last after ``trials + more``; between them the number of trials grows by
    about a half from look to look. Without confirmation there is one look, by the rules as they are.
    """
    growth = (trials + more) / trials
    steps = min(max(round(math.log(growth) / math.log(_GROWTH)), 1), _MOST_LOOKS - 1)
    counts = sorted({round(trials * growth ** (step / steps)) for step in range(steps + 1)})
    if len(counts) == 1:
        return (Look(1, trials, rules),)
    later = len(counts) - 1
    first = replace(rules, share=_EARLY_FALSE_ALARMS / later)
    between = replace(first, missed_rate=rules.missed_rate / later)
    last = replace(between, share=1 - _EARLY_FALSE_ALARMS)
    by_look = [first, *[between] * (later - 1), last]
    return tuple(Look(number, *each) for number, each in enumerate(zip(counts, by_look, strict=True), start=1))


def after_look(earlier: Sequence[CaseVerdict], now: Sequence[CaseVerdict], number: int) -> tuple[CaseVerdict, ...]:
    """Return the verdicts after a look of that number.

    ``earlier``: the verdicts after the look before it, of which those that decided a case are kept, unless the case
    has failed since. ``now``: the verdicts on all cases by all trials so far.

    What would have been detectable is always that of ``now``: a slowdown that the first look cannot show leaves its
    case undecided, and later looks may show it.
    """
    decided = {(one.id, one.metric): one for one in earlier if one.verdict in _DECIDED}
    return tuple(
        replace(decided[one.id, one.metric], detectable_ratio=one.detectable_ratio)
        if (one.id, one.metric) in decided and one.verdict in (*_DECIDED, Verdict.INCONCLUSIVE)
        else replace(one, look=number)
        for one in now
    )


def to_confirm(verdicts: Sequence[CaseVerdict], design: Design = Design.HISTORY) -> tuple[str, ...]:
    """Return the ids of the cases that more trials may decide, those with the widest intervals first."""
    # In pairs of trials, more trials are more units; in a history they are not.
    codes = WORTH_CONFIRMING | {Code.TOO_FEW_RUNS} if design is Design.PAIRS else WORTH_CONFIRMING
    undecided = [one for one in verdicts if one.code in codes]
    return tuple(dict.fromkeys(one.id for one in sorted(undecided, key=_width, reverse=True)))


def _width(verdict: CaseVerdict) -> float:
    """Return the width of the interval in logarithms; infinite where there is none."""
    if verdict.ratio_low is None or verdict.ratio_high is None:
        return math.inf
    return math.log(verdict.ratio_high) - math.log(verdict.ratio_low)
