"""The decision rules: from estimates to a reason code for every case, as arrays over cases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pytest_throughput.gate.estimator import SHARE_FOR_NOISE, Estimates
from pytest_throughput.gate.rules import FEWEST_UNITS, WORTH_CONFIRMING, Code, Rules
from pytest_throughput.gate.shrinkage import FEWEST_CASES_TO_POOL

__all__ = ["CODES", "Decisions", "decide"]

Bools = NDArray[np.bool_]

CODES = (
    Code.SLOWER,
    Code.FASTER,
    Code.WITHIN_THRESHOLD,
    Code.TOO_FEW_RUNS,
    Code.TOO_FEW_TRIALS,
    Code.CONTENTION,
    Code.SLOW_TRIALS,
    Code.NEAR_THRESHOLD,
    Code.NOISE,
)
_TAIL_EXCESS = 0.5
"""Excess of the share of slow outliers in head over that in base, from which a case cannot be called unchanged."""


@dataclass(frozen=True)
class Decisions:
    """The decision on each case; arrays of shape (…, cases)."""

    codes: NDArray[np.intp]
    """Indices into :data:`CODES`: the first three are regressed, improved and unchanged; the others, inconclusive."""
    can_alarm: Bools
    """Whether a slowdown of any size could be called regressed with these data."""

    @property
    def regressed(self) -> Bools:
        return np.asarray(self.codes == CODES.index(Code.SLOWER))

    @property
    def improved(self) -> Bools:
        return np.asarray(self.codes == CODES.index(Code.FASTER))

    @property
    def unchanged(self) -> Bools:
        return np.asarray(self.codes == CODES.index(Code.WITHIN_THRESHOLD))

    @property
    def worth_confirming(self) -> Bools:
        """Whether the case gets confirmation trials, if there are any."""
        return np.isin(self.codes, [index for index, code in enumerate(CODES) if code in WORTH_CONFIRMING])


def decide(estimates: Estimates, rules: Rules) -> Decisions:
    """Decide all cases of a comparison; the first condition that holds gives a case's code."""
    cases = estimates.difference.shape[-1]
    far = rules.log_threshold
    contention_limit = (1 - SHARE_FOR_NOISE) * rules.false_alarm_rate
    # With few cases nothing shows how far two modes lie apart, so that the limit is divided by the number of cases.
    separation_limit = rules.false_alarm_rate / (1 if cases >= FEWEST_CASES_TO_POOL else cases)

    difference, margin = estimates.difference, estimates.margin
    is_known = estimates.units >= FEWEST_UNITS
    is_separable = (estimates.by_separation <= separation_limit) & (estimates.trials_head > 1)
    by_contention = estimates.by_contention > contention_limit
    looks_slower = (-difference > margin) & (difference <= -far)
    looks_faster = (difference > margin) & (difference >= far)
    ruled_out = difference - estimates.half_interval > -far
    tail_head = estimates.tail_head / np.maximum(estimates.trials_head, 1)
    tail_base = estimates.tail_base / np.maximum(estimates.trials_base, 1)

    codes = np.select(
        [
            ~is_known,
            looks_slower & ~is_separable,
            looks_slower & by_contention,
            looks_slower,
            looks_faster & is_separable,
            ruled_out & (tail_head - tail_base >= _TAIL_EXCESS),
            ruled_out,
            ~is_separable & (difference <= -far),
            (-difference > margin) | ((difference > -far) & (difference < 0) & (margin < far)),
        ],
        [
            CODES.index(code)
            for code in (
                Code.TOO_FEW_RUNS,
                Code.TOO_FEW_TRIALS,
                Code.CONTENTION,
                Code.SLOWER,
                Code.FASTER,
                Code.SLOW_TRIALS,
                Code.WITHIN_THRESHOLD,
                Code.TOO_FEW_TRIALS,
                Code.NEAR_THRESHOLD,
            )
        ],
        default=CODES.index(Code.NOISE),
    )
    return Decisions(codes=codes, can_alarm=is_known & is_separable & ~by_contention & np.isfinite(margin))
