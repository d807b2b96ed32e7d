"""The model of noise: what the trials of two sides say about each case's ratio, as arrays over cases.

The logarithm of a trial's images/second is taken for

    case and side  +  unit  +  case within unit  +  trial

where a unit is what was measured in one go: a run, or the trials of one pair. What a unit has in
common over all cases is known from as few values as there are units, and hits all cases at once.
What is left is each case's own, is known from many cases together, and has as many chances to look
like a slowdown as there are cases. The margin treats the two accordingly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from pytest_throughput.gate.outliers import chance_of_contention, chance_of_separation, flag_outliers
from pytest_throughput.gate.rules import FEWEST_UNITS, Design
from pytest_throughput.gate.shrinkage import FEWEST_CASES_TO_POOL, moderated_variances, typical_variance

__all__ = ["FOR_NOISE", "Estimates", "estimate"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Counts = NDArray[np.int_]

FOR_NOISE = 0.5
"""Share of the false-alarm rate that noise may spend; the rest is left to contention."""
_FOR_COMMON = 0.9
"""Share of that for what all cases have in common, where it is told from the rest: it is known from few runs."""
_TAIL_OF_INTERVAL = 0.025
_PAIRS_AGREE = 0.5
"""Pairs are compared one by one where they differ by less than this share of what unrelated trials would, squared."""
_WILD = 6.0
"""Times the variance of base's trials: normal noise gets there once in 10,000 times, from 5 trials."""
_LONG_HISTORY = 2.0
"""Trials of base for one of head, from which base is cleared of contention by itself."""


@dataclass(frozen=True)
class Estimates:
    """Of each case, of shape (…, cases): differences and noise in logarithms of images/second."""

    difference: Floats
    """Head less base: negative where head is slower."""
    margin: Floats
    """Differences beyond it are no chance, at the false-alarm rate of all cases together."""
    half_interval: Floats
    """Half the 95 % interval of the difference."""
    noise_between: Floats
    """Standard deviation of the units of one side; NaN where it is unknown."""
    noise_within: Floats
    """Standard deviation of the trials of one unit; NaN where units have but one."""
    units: Counts
    """That the noise is known from: pairs, or the units of both sides less one."""
    trials_base: Counts
    trials_head: Counts
    tail_base: Counts
    """Trials far slower than all others of their case."""
    tail_head: Counts
    outliers: Counts
    """Those of them, on both sides, that were not compared."""
    alarm_by_contention: Floats
    """How likely contention alone makes all head trials slow, and so alike."""
    alarm_by_separation: Floats
    """How likely two-humped noise separates so few trials, at worst."""
    praise_by_contention: Floats
    """As ``alarm_by_contention``, of the base trials."""


def estimate(base: Floats, head: Floats, *, design: Design, false_alarm_rate: float) -> Estimates:
    """Compares two sides, given as logarithms of shape (…, cases, units, trials), NaN where there is none.

    In a paired design the i-th unit of base belongs to the i-th of head. Axes before the cases are
    separate comparisons (a simulation has thousands).
    """
    flat_base, flat_head = (side.reshape(*side.shape[:-2], -1) for side in (base, head))
    is_long = not design.is_paired and flat_base.shape[-1] >= _LONG_HISTORY * flat_head.shape[-1]
    found = flag_outliers(flat_base, flat_head, base_alone_first=is_long)
    units_base = units_of(base, found.kept[..., ~found.is_head].reshape(base.shape))
    units_head = units_of(head, found.kept[..., found.is_head].reshape(head.shape))

    is_telling = ~found.is_exception
    # Pairs are taken case by case, so that no unit holds all cases; runs do.
    shared = design is not Design.PAIRS and base.shape[-3] >= FEWEST_CASES_TO_POOL
    compared = _compare_groups(units_base, units_head, is_telling, shared, false_alarm_rate)
    if design.is_paired:
        compared = _prefer_pairs(units_base, units_head, is_telling, compared, shared, false_alarm_rate)
    there = ~np.isnan(found.logs)
    trials_base, trials_head = there[..., ~found.is_head].sum(axis=-1), there[..., found.is_head].sum(axis=-1)
    if design.is_paired:
        measured_base, measured_head = ((~np.isnan(side)).any(axis=-1).sum(axis=-1) for side in (base, head))
        units = np.minimum(measured_base, measured_head)
    else:
        both = (units_base.count > 0) & (units_head.count > 0)
        units = np.where(both, units_base.count + units_head.count - 1, 0)
    # Where cases are pooled, the others show how far humps lie apart, and few trials do.
    separable = there if base.shape[-3] >= FEWEST_CASES_TO_POOL else found.kept
    within, within_degrees = _within(units_base, units_head)
    return Estimates(
        difference=compared.difference,
        margin=compared.margin,
        half_interval=compared.half_interval,
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
        alarm_by_contention=chance_of_contention(found, found.is_head),
        alarm_by_separation=chance_of_separation(
            separable[..., ~found.is_head].sum(axis=-1), separable[..., found.is_head].sum(axis=-1)
        ),
        praise_by_contention=chance_of_contention(found, ~found.is_head),
    )


@dataclass(frozen=True)
class _Compared:
    difference: Floats
    margin: Floats
    half_interval: Floats
    spread: Spread
    """Of the units of one side."""


def _compare_groups(base: Units, head: Units, is_telling: Bools, shared: bool, false_alarm_rate: float) -> _Compared:
    spread = spread_of([(base.means, base.there), (head.means, head.there)], shared=shared)
    own, degrees = moderated_variances(spread.own, spread.own_degrees, is_telling)
    # Trials of one unit vary; units, being means of them, cannot be known to vary less than that makes them.
    within, within_degrees = moderated_variances(*_within(base, head), is_telling)
    own = np.maximum(own, np.where(within_degrees > 0, within / base.typical_trials, 0.0))

    per_base, per_head = 1 / np.maximum(base.count, 1), 1 / np.maximum(head.count, 1)
    # A head of which little is left varies more than the units that the variance comes from.
    of_head = own * np.maximum(1.0, base.typical_trials / head.typical_trials)
    # And one whose trials are all over the place is not as well known as base is.
    (of_base_trials, base_degrees), (of_head_trials, head_degrees) = _within(base), _within(head)
    of_base_trials, _ = moderated_variances(of_base_trials, base_degrees, is_telling)
    is_wild = (head_degrees > 0) & (base_degrees > 0) & (of_head_trials > _WILD * of_base_trials)
    of_head = np.where(is_wild, np.maximum(of_head, of_head_trials / head.typical_trials), of_head)
    degrees = np.where(is_wild, np.minimum(degrees, head_degrees), degrees)

    margin, half_interval = _widths(
        spread.common * (per_base + per_head),
        spread.common_degrees,
        own * per_base + of_head * per_head,
        degrees,
        false_alarm_rate,
    )
    return _Compared(head.mean - base.mean, margin, half_interval, spread)


def _prefer_pairs(
    base: Units, head: Units, is_telling: Bools, groups: _Compared, shared: bool, false_alarm_rate: float
) -> _Compared:
    """The comparison pair by pair, where neighbours in time agree; else that of the groups, which loses no pair.

    Whether they agree is decided for all cases at once, and on their spread alone, never on the
    differences; where cases are too few to know it, they are taken to. A case of too few complete
    pairs is compared as groups.
    """
    both = base.there & head.there
    differences = np.where(both, head.means - base.means, 0.0)
    spread = spread_of([(differences, both)], shared=shared)
    own, degrees = moderated_variances(spread.own, spread.own_degrees, is_telling)
    complete = both.sum(axis=-1)
    pairs = np.maximum(complete, 1)
    margin, half_interval = _widths(
        spread.common / pairs, spread.common_degrees, own / pairs, degrees, false_alarm_rate
    )
    by_pairs = complete >= FEWEST_UNITS
    if complete.shape[-1] >= FEWEST_CASES_TO_POOL:
        of_pairs, of_groups = (
            one.common + typical_variance(one.own, one.own_degrees) for one in (spread, groups.spread)
        )
        by_pairs &= of_pairs < _PAIRS_AGREE * 2 * of_groups
    return _Compared(
        np.where(by_pairs, differences.sum(axis=-1) / pairs, groups.difference),
        np.where(by_pairs, margin, groups.margin),
        np.where(by_pairs, half_interval, groups.half_interval),
        groups.spread,
    )


def _within(*sides: Units) -> tuple[Floats, Floats]:
    """The variance of the trials of one unit, and its degrees of freedom."""
    squares = sum(units.squares.sum(axis=-1) for units in sides)
    degrees = sum(np.maximum(units.trials - 1, 0).sum(axis=-1) for units in sides) + 0.0
    return squares / np.maximum(degrees, 1e-9), degrees


def _widths(
    common: Floats, common_degrees: Floats, own: Floats, own_degrees: Floats, false_alarm_rate: float
) -> tuple[Floats, Floats]:
    """The margin and half the interval, from the squared standard errors of the two parts of a difference.

    Two margins hold, and the narrower is taken. One adds what the common part strays in one of the
    runs that may be false alarms, once for all cases, to what the own parts do in any of the cases.
    The other takes the parts together, in any of the cases; where there is a common part it may take
    each at twice the rate, for they seldom stray together (simulated: false alarms stay below half).
    """
    cases = own.shape[-1]
    rate = FOR_NOISE * false_alarm_rate
    at_once = np.where(common > 0, 2.0, 1.0) * rate / cases
    quantile: Callable[[Floats, Floats | float], Floats] = special.stdtrit

    def parts(common_tail: Floats | float, own_tail: Floats | float) -> tuple[Floats, Floats]:
        known = own_degrees > 0
        of_own = np.where(known, -quantile(np.where(known, own_degrees, 1.0), own_tail) * np.sqrt(own), np.inf)
        return -quantile(common_degrees, common_tail) * np.sqrt(common), of_own

    separately = sum(parts(rate * _FOR_COMMON, rate * (1 - _FOR_COMMON) / cases))
    together = np.hypot(*parts(at_once, at_once))
    return np.minimum(separately, together), np.hypot(*parts(_TAIL_OF_INTERVAL, _TAIL_OF_INTERVAL))


@dataclass(frozen=True)
class Units:
    """The units of one side, each the mean of its trials: arrays of shape (…, cases, units)."""

    means: Floats
    """Of logarithms of images/second; 0 where there is no trial."""
    trials: NDArray[np.int_]
    squares: Floats
    """Summed squares of the trials' deviations from their unit's mean."""

    @property
    def there(self) -> Bools:
        return self.trials > 0

    @property
    def count(self) -> NDArray[np.int_]:
        return np.asarray(self.there.sum(axis=-1))

    @property
    def mean(self) -> Floats:
        """Of each case, over its units."""
        return np.asarray(self.means.sum(axis=-1) / np.maximum(self.count, 1))

    @property
    def typical_trials(self) -> Floats:
        """The harmonic mean of the units' trials: what the mean of a unit gains from having several."""
        inverse = np.where(self.there, 1.0 / np.maximum(self.trials, 1), 0.0).sum(axis=-1)
        return np.asarray(np.where(inverse > 0, self.count / np.maximum(inverse, 1e-300), 1.0))


def units_of(logs: Floats, kept: Bools) -> Units:
    """Of the kept trials, of shape (…, cases, units, trials)."""
    trials = kept.sum(axis=-1)
    means = np.where(kept, logs, 0.0).sum(axis=-1) / np.maximum(trials, 1)
    squares = np.where(kept, (logs - means[..., None]) ** 2, 0.0).sum(axis=-1)
    return Units(means, trials, squares)


@dataclass(frozen=True)
class Spread:
    """Variances of a unit, with their degrees of freedom."""

    common: Floats
    """What moves all cases of a unit together: of shape (…, 1)."""
    common_degrees: Floats
    own: Floats
    """What is left in each case: of shape (…, cases)."""
    own_degrees: Floats


def spread_of(sides: Sequence[tuple[Floats, Bools]], *, shared: bool) -> Spread:
    """Of means and where they are, one of each side, of shape (…, cases, units).

    Each side is centred by itself, so that a difference between them does not count as noise.
    ``shared``: the units of all cases were measured in one go. What they have in common is the
    median over the cases, since one case may well have changed, where at least half of them are. A
    case with a single unit on a side says nothing of how its units differ.
    """
    first = sides[0][0]
    common = np.zeros((*first.shape[:-2], 1))
    common_degrees = np.zeros((*first.shape[:-2], 1))
    squares, degrees = np.zeros(first.shape[:-1]), np.zeros(first.shape[:-1])
    for means, there in sides:
        centre = np.where(there, means, 0.0).sum(axis=-1) / np.maximum(there.sum(axis=-1), 1)
        residuals = np.where(there, means - centre[..., None], 0.0)
        if shared:
            argparse_type = there & (there.sum(axis=-1, keepdims=True) > 1)
            cases = argparse_type.any(axis=-1, keepdims=True).sum(axis=-2, keepdims=True)
            known = argparse_type.sum(axis=-2, keepdims=True) >= np.maximum(cases / 2, FEWEST_CASES_TO_POOL)
            moves = np.where(known, _median_over_cases(residuals, argparse_type), 0.0)
            residuals = np.where(argparse_type, residuals - moves, 0.0)
            common += (moves**2).sum(axis=(-1, -2))[..., None]
            common_degrees += np.maximum(known.sum(axis=(-1, -2))[..., None] - 1, 0)
        squares += (residuals**2).sum(axis=-1)
        degrees += np.maximum(there.sum(axis=-1) - 1, 0)
    if shared:
        degrees *= 1 - 1 / first.shape[-2]
    common_degrees = np.maximum(common_degrees, 1.0)
    return Spread(common / common_degrees, common_degrees, squares / np.maximum(degrees, 1e-9), degrees)


def _median_over_cases(values: Floats, there: Bools) -> Floats:
    """Of shape (…, 1, units)."""
    ordered = np.sort(np.where(there, values, np.inf), axis=-2)
    count = there.sum(axis=-2, keepdims=True)
    lower = np.take_along_axis(ordered, np.maximum(count - 1, 0) // 2, axis=-2)
    upper = np.take_along_axis(ordered, np.minimum(count // 2, values.shape[-2] - 1), axis=-2)
    return np.where(count > 0, np.where(count > 0, lower + upper, 0.0) / 2, 0.0)
