"""The estimator: each case's change and the noise of that change, as arrays over cases.

The logarithm of a trial's speed is modelled as the sum

    case and side  +  unit  +  case within unit  +  trial

where a unit of replication is what was measured together: a run, or the trials of one pair. The common
part ("unit") moves all cases at once, and is known from as few values as there are units. The own part
("case within unit") differs from case to case; many cases together show how large it is, but each case
is a further chance for a false alarm. The margin accounts for both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from pytest_throughput.gate.far_slower import Gap, gap_between
from pytest_throughput.gate.outliers import chance_of_contention, chance_of_separation, chance_of_tail, flag_outliers
from pytest_throughput.gate.rules import FEWEST_UNITS, Design, Rules
from pytest_throughput.gate.shrinkage import FEWEST_CASES_TO_POOL, moderated_variances, typical_variance
from pytest_throughput.gate.spread import Spread, Units, spread_of, units_of, variance_within

__all__ = ["SHARE_FOR_NOISE", "Estimates", "estimate", "own_margin"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Counts = NDArray[np.int_]

SHARE_FOR_NOISE = 0.5
"""Share of the false-alarm rate that noise may use; the rest is for contention."""
_SHARE_FOR_COMMON = 0.9
"""Share of the noise's part that the common part may use: it is known from few units, so its margin is widest."""
_TAIL_OF_INTERVAL = 0.025
"""The rate of misses of a run that is judged once: a slowdown is then ruled out by the interval that is shown."""
_PAIRS_AGREE = 0.5
"""Pairs are compared one by one if their differences have less than this share of unrelated trials' variance."""
_MUCH_NOISIER = 6.0
"""Ratio of variances from which head's trials count as noisier; with 5 trials, chance exceeds it once in 10,000."""
_LONG_HISTORY = 2.0
"""Trials of base for each trial of head, from which base is searched for outliers by itself first."""


@dataclass(frozen=True)
class Estimates:
    """Estimates of each case, of shape (…, cases); differences and noise are in logarithms of speed."""

    difference: Floats
    """Head minus base: negative where head is slower."""
    margin: Floats
    """Smallest difference that is significant at the run-wide false-alarm rate."""
    half_interval: Floats
    """Half the 95 % interval of the difference."""
    clearing_margin: Floats
    """How far above a slowdown the difference must be to rule the slowdown out."""
    noise_between: Floats
    """Standard deviation between the units of one side; NaN where it is unknown."""
    noise_within: Floats
    """Standard deviation of the trials within one unit; NaN where each unit has one trial."""
    units: Counts
    """Number of units: pairs, or the units of both sides minus one."""
    trials_base: Counts
    trials_head: Counts
    tail_base: Counts
    """Trials far slower than all others of their case."""
    tail_head: Counts
    outliers: Counts
    """Trials on both sides that were excluded from the comparison."""
    by_contention: Floats
    """Probability that contention alone slowed all trials of head (see ``chance_of_contention``)."""
    by_separation: Floats
    """Largest probability that bimodal noise alone separates the two sides (see ``chance_of_separation``)."""
    by_tail: Floats
    """Probability that so many of the slow trials belong to head by chance (see ``chance_of_tail``)."""
    trials_are_units: bool
    """Whether each trial is a replicate by itself, so that ``by_tail`` is exact."""
    gap: Gap
    """The distance between all trials of base and all of head."""
    own_errors: Floats
    """The standard error of the difference that the trials themselves give; the margins include it."""


def estimate(
    base: Floats,
    head: Floats,
    *,
    design: Design,
    false_alarm_rate: float,
    missed_rate: float = Rules.missed_rate,
    in_turn: Bools | None = None,
    own_errors: Floats | None = None,
) -> Estimates:
    """Compare two sides, given as logarithms of speed of shape (…, cases, units, trials), NaN where there is no trial.

    In a paired design the i-th unit of base belongs to the i-th unit of head. Axes before the cases are
    separate comparisons (a simulation has thousands). The rates are those of ``Rules``. ``in_turn``: the cases of live
    pairs, of shape (cases), none by default; the two values of a live pair tell their difference and nothing else.
    ``own_errors``: the standard error of each case's difference that its trials give themselves, of shape (cases).
    """
    flat_base, flat_head = (side.reshape(*side.shape[:-2], -1) for side in (base, head))
    is_long = not design.is_paired and flat_base.shape[-1] >= _LONG_HISTORY * flat_head.shape[-1]
    found = flag_outliers(flat_base, flat_head, base_alone_first=is_long)
    units_base = units_of(base, found.kept[..., ~found.is_head].reshape(base.shape))
    units_head = units_of(head, found.kept[..., found.is_head].reshape(head.shape))

    is_typical = ~found.is_exception
    # A run contains all cases; a pair contains one case, so that nothing is common to all cases.
    shared = design is not Design.PAIRS and base.shape[-3] >= FEWEST_CASES_TO_POOL
    rates = false_alarm_rate, missed_rate
    compared = _compare_groups(units_base, units_head, is_typical, shared, rates)
    if design.is_paired:
        live = np.zeros(base.shape[-3], dtype=bool) if in_turn is None else in_turn
        compared = _prefer_pairs(units_base, units_head, is_typical, compared, shared, live, rates)
    cases, rate_of_gap = base.shape[-3], (1 - SHARE_FOR_NOISE) * false_alarm_rate
    own = np.zeros(cases) if own_errors is None else own_errors
    compared = _widened(compared, own, rates)
    gap = gap_between(flat_base, flat_head, rate_of_gap)
    there = ~np.isnan(found.logs)
    trials_base, trials_head = there[..., ~found.is_head].sum(axis=-1), there[..., found.is_head].sum(axis=-1)
    if design.is_paired:
        measured_base, measured_head = ((~np.isnan(side)).any(axis=-1).sum(axis=-1) for side in (base, head))
        units = np.minimum(measured_base, measured_head)
    else:
        both = (units_base.count > 0) & (units_head.count > 0)
        units = np.where(both, units_base.count + units_head.count - 1, 0)
    # Where cases are pooled, the other cases show how far two modes lie apart, and excluded trials count, too.
    counted = there if base.shape[-3] >= FEWEST_CASES_TO_POOL else found.kept
    within, within_degrees = variance_within(units_base, units_head)
    return Estimates(
        difference=compared.difference,
        margin=compared.margin,
        half_interval=compared.half_interval,
        clearing_margin=compared.clearing_margin,
        noise_between=np.where(
            compared.spread.own_degrees > 0, np.sqrt(compared.spread.common + compared.spread.own), np.nan
        ),
        noise_within=np.where(within_degrees > 0, np.sqrt(within), np.nan),
        units=units,
        trials_base=trials_base,
        trials_head=trials_head,
        tail_base=found.tail[..., ~found.is_head].sum(axis=-1),
        tail_head=found.tail[..., found.is_head].sum(axis=-1),
        outliers=(there & ~found.kept).sum(axis=-1),
        by_contention=chance_of_contention(found),
        by_separation=chance_of_separation(
            counted[..., ~found.is_head].sum(axis=-1), counted[..., found.is_head].sum(axis=-1)
        ),
        by_tail=chance_of_tail(found),
        trials_are_units=design is Design.PAIRS,
        gap=replace(gap, needed=gap.needed + own_margin(own, rate_of_gap / cases)),
        own_errors=own,
    )


@dataclass(frozen=True)
class _Compared:
    """The difference of two sides and its uncertainty, of shape (…, cases)."""

    difference: Floats
    margin: Floats
    half_interval: Floats
    clearing_margin: Floats
    spread: Spread
    """The spread of the units of one side, not of the differences between the sides."""


def _compare_groups(base: Units, head: Units, is_typical: Bools, shared: bool, rates: tuple[float, float]) -> _Compared:
    """Compare the mean of base's units with the mean of head's."""
    spread = spread_of([(base.means, base.there), (head.means, head.there)], shared=shared)
    own, degrees = moderated_variances(spread.own, spread.own_degrees, is_typical)
    # A unit is a mean of trials, so that units vary at least as much as the trials within them imply.
    within, within_degrees = moderated_variances(*variance_within(base, head), is_typical)
    own = np.maximum(own, np.where(within_degrees > 0, within / base.typical_trials, 0.0))

    per_base, per_head = 1 / np.maximum(base.count, 1), 1 / np.maximum(head.count, 1)
    # Units of head with fewer trials vary more than the units of base, from which the variance is estimated.
    of_head = own * np.maximum(1.0, base.typical_trials / head.typical_trials)
    # Where head's trials are much noisier than base's, its own spread counts. Base's is pooled, because a variance of
    # few trials is often small by chance, and an equally noisy head would then look noisier.
    (of_base_trials, base_degrees), (of_head_trials, head_degrees) = variance_within(base), variance_within(head)
    of_base_trials, _ = moderated_variances(of_base_trials, base_degrees, is_typical)
    is_noisier = (head_degrees > 0) & (base_degrees > 0) & (of_head_trials > _MUCH_NOISIER * of_base_trials)
    of_head = np.where(is_noisier, np.maximum(of_head, of_head_trials / head.typical_trials), of_head)
    degrees = np.where(is_noisier, np.minimum(degrees, head_degrees), degrees)

    widths = _widths(
        spread.common * (per_base + per_head),
        spread.common_degrees,
        own * per_base + of_head * per_head,
        degrees,
        rates,
    )
    return _Compared(head.mean - base.mean, *widths, spread)


def _prefer_pairs(
    base: Units,
    head: Units,
    is_typical: Bools,
    groups: _Compared,
    shared: bool,
    live: Bools,
    rates: tuple[float, float],
) -> _Compared:
    """Compare pair by pair if the trials of a pair agree better than unrelated trials; otherwise keep ``groups``.

    ``live``: cases that are compared pair by pair in any event.

    The comparison of groups also uses trials whose partner was excluded. The choice is made for all
    cases at once, and from their spread alone, so that the differences cannot influence it. With too few
    cases to choose, pairs are compared; a case with too few complete pairs is compared as groups.
    """
    both = base.there & head.there
    differences = np.where(both, head.means - base.means, 0.0)
    spread = spread_of([(differences, both)], shared=shared)
    own, degrees = moderated_variances(spread.own, spread.own_degrees, is_typical)
    complete = both.sum(axis=-1)
    pairs = np.maximum(complete, 1)
    margin, half_interval, clearing_margin = _widths(
        spread.common / pairs, spread.common_degrees, own / pairs, degrees, rates
    )
    by_pairs = complete >= FEWEST_UNITS
    if complete.shape[-1] >= FEWEST_CASES_TO_POOL:
        of_pairs, of_groups = (
            one.common + typical_variance(one.own, one.own_degrees) for one in (spread, groups.spread)
        )
        by_pairs &= of_pairs < _PAIRS_AGREE * 2 * of_groups
    by_pairs |= live
    return _Compared(
        np.where(by_pairs, differences.sum(axis=-1) / pairs, groups.difference),
        np.where(by_pairs, margin, groups.margin),
        np.where(by_pairs, half_interval, groups.half_interval),
        np.where(by_pairs, clearing_margin, groups.clearing_margin),
        replace(
            groups.spread,
            own=np.where(live, spread.own / 2, groups.spread.own),
            own_degrees=np.where(live, spread.own_degrees, groups.spread.own_degrees),
        ),
    )


def own_margin(own_errors: Floats, tail: float) -> Floats:
    """Return what the trials' own errors, which are normal, exceed in one direction with this probability."""
    return np.asarray(-special.ndtri(tail) * own_errors)


def _widened(compared: _Compared, own_errors: Floats, rates: tuple[float, float]) -> _Compared:
    """Widen all margins by the trials' own errors, which are independent of the noise between trials."""
    false_alarm_rate, missed_rate = rates
    of_noise = SHARE_FOR_NOISE * false_alarm_rate / own_errors.shape[-1]
    return replace(
        compared,
        margin=np.hypot(compared.margin, own_margin(own_errors, of_noise)),
        half_interval=np.hypot(compared.half_interval, own_margin(own_errors, _TAIL_OF_INTERVAL)),
        clearing_margin=np.hypot(compared.clearing_margin, own_margin(own_errors, missed_rate)),
    )


def _widths(
    common: Floats, common_degrees: Floats, own: Floats, own_degrees: Floats, rates: tuple[float, float]
) -> tuple[Floats, Floats, Floats]:
    """Return margin, half the 95 % interval and clearing margin, from the squared standard errors of the two parts.

    Two margins are valid, and the narrower one is used. ``separately`` adds a margin for the common part, which one
    test covers for all cases, to a margin for the own part, which is tested once per case (Bonferroni). ``together``
    adds the two as independent errors and tests each case; where there is a common part each quantile uses twice the
    rate, since both parts are rarely extreme at once (in simulations the false alarms stay below half of the rate).

    ``rates``: of false alarms and of misses, as in ``Rules``.
    """
    cases = own.shape[-1]
    false_alarm_rate, missed_rate = rates
    rate = SHARE_FOR_NOISE * false_alarm_rate
    at_once = np.where(common > 0, 2.0, 1.0) * rate / cases
    quantile: Callable[[Floats, Floats | float], Floats] = special.stdtrit

    def parts(common_tail: Floats | float, own_tail: Floats | float) -> tuple[Floats, Floats]:
        known = own_degrees > 0
        of_own = np.where(known, -quantile(np.where(known, own_degrees, 1.0), own_tail) * np.sqrt(own), np.inf)
        return -quantile(common_degrees, common_tail) * np.sqrt(common), of_own

    separately = sum(parts(rate * _SHARE_FOR_COMMON, rate * (1 - _SHARE_FOR_COMMON) / cases))
    together = np.hypot(*parts(at_once, at_once))
    half_interval, clearing_margin = (np.hypot(*parts(tail, tail)) for tail in (_TAIL_OF_INTERVAL, missed_rate))
    return np.minimum(separately, together), half_interval, clearing_margin
