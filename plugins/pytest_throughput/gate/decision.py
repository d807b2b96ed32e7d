"""The decision rules: from estimates to a reason code for every case, as arrays over cases."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pytest_throughput.gate.estimator import SHARE_FOR_NOISE, Estimates, own_margin
from pytest_throughput.gate.live_pairs import estimate_live_pairs
from pytest_throughput.gate.outliers import chance_of_separation
from pytest_throughput.gate.rules import FEWEST_FOR_FAR, FEWEST_UNITS, WORTH_CONFIRMING, Code, Rules
from pytest_throughput.gate.shrinkage import FEWEST_CASES_TO_POOL
from pytest_throughput.gate.slow_steps import slow_steps

__all__ = ["CODES", "Decisions", "decide", "decide_live_pairs", "unless_slow_on_average"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

CODES = (
    Code.SLOWER,
    Code.FAR_SLOWER,
    Code.SLOWER_AT_TIMES,
    Code.SLOWER_ON_AVERAGE,
    Code.FASTER,
    Code.WITHIN_THRESHOLD,
    Code.TOO_FEW_RUNS,
    Code.TOO_FEW_TRIALS,
    Code.CONTENTION,
    Code.SLOW_TRIALS,
    Code.SLOW_STEPS,
    Code.MAYBE_FASTER,
    Code.OWN_ERROR,
    Code.NEAR_THRESHOLD,
    Code.NOISE,
)
_REGRESSED = [
    CODES.index(code) for code in (Code.SLOWER, Code.FAR_SLOWER, Code.SLOWER_AT_TIMES, Code.SLOWER_ON_AVERAGE)
]
_TAIL_IS_SUSPECT = 0.1
"""A tail that is more than by this chance in head forbids ``unchanged`` and ``improved``."""
_SHARE_FOR_TAIL = 0.1
"""Share of the false-alarm rate that slow trials may use; it is taken from the share for contention."""
_SHARE_FOR_MEANS = 0.1
"""The same for the means of live pairs."""
_MISSED_BY_SEPARATION = 0.05
"""A case is not called unchanged where modes hide a slowdown with a larger probability: base slow, head fast."""


@dataclass(frozen=True)
class Decisions:
    """The decision on each case; arrays of shape (…, cases)."""

    codes: NDArray[np.intp]
    """Indices into :data:`CODES`."""
    detectable: Floats
    """Smallest slowdown that these data could have shown, in logarithms; infinite where they could have shown none."""
    mean_difference: Floats
    """The difference of the means in live pairs, head minus base, in logarithms of speed; NaN where it is unknown."""
    separation_limit: float
    """The largest probability of ``by_separation`` with which a case may be called slower or faster."""
    decidable: Bools
    """Whether any figures, of as many runs and trials, would have led to a verdict."""

    @property
    def regressed(self) -> Bools:
        return np.isin(self.codes, _REGRESSED)

    @property
    def improved(self) -> Bools:
        return np.asarray(self.codes == CODES.index(Code.FASTER))

    @property
    def unchanged(self) -> Bools:
        return np.asarray(self.codes == CODES.index(Code.WITHIN_THRESHOLD))

    @property
    def worth_confirming(self) -> Bools:
        """Whether the case is undecided and gets confirmation trials, if there are any."""
        return np.isin(self.codes, [index for index, code in enumerate(CODES) if code in WORTH_CONFIRMING])


def unless_slow_on_average(decisions: Decisions, mean_difference: Floats, suspect: Bools) -> Decisions:
    """Return the decisions; a suspect case, whose mean may be slower, is neither ``unchanged`` nor ``improved``."""
    clear = np.isin(
        decisions.codes, [CODES.index(code) for code in (Code.FASTER, Code.MAYBE_FASTER, Code.WITHIN_THRESHOLD)]
    )
    codes = np.where(clear & suspect, CODES.index(Code.SLOW_STEPS), decisions.codes)
    return replace(decisions, codes=codes, mean_difference=mean_difference)


def decide(
    estimates: Estimates, rules: Rules, means: Floats | None = None, thresholds: Floats | None = None
) -> Decisions:
    """Decide all cases of a comparison; the first condition that holds gives a case's code.

    ``means``: for cases in live pairs, log(mean speed of head ÷ that of base) of each pair, of shape (…, cases, pairs);
    NaN where there is none. ``thresholds``: that of each case, of shape (cases); by default that of the rules.
    """
    cases = estimates.difference.shape[-1]
    far = np.log1p(np.full(cases, rules.threshold) if thresholds is None else thresholds)
    # These two limits need not be shared out over looks: what separates all trials of the sides at one look has also
    # separated those of all looks before it.
    contention_limit = (1 - SHARE_FOR_NOISE - _SHARE_FOR_TAIL - _SHARE_FOR_MEANS) * rules.false_alarm_rate
    # With few cases nothing shows how far two modes lie apart, so that the limit is divided by the number of cases.
    separation_limit = rules.false_alarm_rate / (1 if cases >= FEWEST_CASES_TO_POOL else cases)

    difference, margin, gap = estimates.difference, estimates.margin, estimates.gap
    is_known = estimates.units >= FEWEST_UNITS
    is_separable = (estimates.by_separation <= separation_limit) & (estimates.trials_head > 1)
    by_contention = estimates.by_contention > contention_limit
    may_alarm = is_known & is_separable & ~by_contention
    looks_slower = (-difference > margin) & (difference <= -far)
    looks_faster = (difference > margin) & (difference >= far)
    is_far = (gap.size >= gap.needed) & (estimates.units >= FEWEST_FOR_FAR)
    ruled_out = difference - estimates.clearing_margin > -far
    # Whether this difference would be undecided without any noise, by the rules of a run that is judged once.
    own_errors, of_noise = estimates.own_errors, SHARE_FOR_NOISE * rules.false_alarm_rate / cases
    is_within_own = np.abs(difference) <= own_margin(own_errors, of_noise)
    by_own_error = is_within_own & (difference - own_margin(own_errors, Rules.missed_rate) <= -far)
    # Where noise is the larger part of the margin, the difference itself may be another one after more trials.
    by_own_error &= margin <= math.sqrt(2) * own_margin(own_errors, SHARE_FOR_NOISE * rules.level / cases)

    is_tail_suspect = (estimates.tail_head > 0) & ((estimates.tail_base == 0) | (estimates.by_tail < _TAIL_IS_SUSPECT))
    tail_limit = _SHARE_FOR_TAIL * rules.level / cases if estimates.trials_are_units else 0.0
    slow = None if means is None else slow_steps(means, rules, _SHARE_FOR_MEANS, far)
    is_slow_on_average = np.zeros(difference.shape, dtype=bool) if slow is None else slow.certain
    has_slow_steps = is_slow_on_average if slow is None else slow.suspect

    by_condition: list[tuple[Bools, Code]] = [
        (looks_slower & may_alarm, Code.SLOWER),
        (is_far, Code.FAR_SLOWER),
        (~is_known, Code.TOO_FEW_RUNS),
        (estimates.by_tail <= tail_limit, Code.SLOWER_AT_TIMES),
        (is_slow_on_average, Code.SLOWER_ON_AVERAGE),
        (looks_slower & ~is_separable, Code.TOO_FEW_TRIALS),
        (looks_slower, Code.CONTENTION),
        (looks_faster & is_separable & ~is_tail_suspect & ~has_slow_steps, Code.FASTER),
        (ruled_out & is_tail_suspect, Code.SLOW_TRIALS),
        (ruled_out & has_slow_steps, Code.SLOW_STEPS),
        (ruled_out & (difference >= far), Code.MAYBE_FASTER),
        (ruled_out & (estimates.by_separation > _MISSED_BY_SEPARATION), Code.TOO_FEW_TRIALS),
        (ruled_out, Code.WITHIN_THRESHOLD),
        (by_own_error, Code.OWN_ERROR),
        (~is_separable & (difference <= -far), Code.TOO_FEW_TRIALS),
        ((-difference > margin) | ((difference > -far) & (difference < 0) & (margin < far)), Code.NEAR_THRESHOLD),
    ]
    codes = np.select(
        [condition for condition, _ in by_condition],
        [CODES.index(code) for _, code in by_condition],
        default=CODES.index(Code.NOISE),
    )
    by_noise = np.where(may_alarm, np.maximum(margin, far), np.inf)
    by_gap = np.where(estimates.units >= FEWEST_FOR_FAR, gap.needed + gap.width, np.inf)
    # Without noise only the numbers of trials can forbid a verdict: ``improved`` or ``unchanged``.
    by_number = chance_of_separation(estimates.trials_base, estimates.trials_head)
    may_be_faster = (by_number <= separation_limit) & (estimates.trials_head > 1)
    may_be_unchanged = by_number <= _MISSED_BY_SEPARATION
    return Decisions(
        codes=codes,
        detectable=np.minimum(by_noise, by_gap),
        mean_difference=np.full(difference.shape, np.nan) if slow is None else slow.difference,
        separation_limit=separation_limit,
        decidable=np.isfinite(by_gap) | (is_known & (may_be_faster | may_be_unchanged)),
    )


def decide_live_pairs(differences: Floats, rules: Rules, means: Floats | None = None) -> Decisions:
    """Decide cases in live pairs, given the differences of their sides (head minus base), of shape (…, cases, pairs).

    ``means``: see ``decide``.
    """
    return decide(estimate_live_pairs(differences, rules), rules, means)
