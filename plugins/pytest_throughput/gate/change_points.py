"""Change points of series: where the level changed to stay, and by how much.

A permutation test says whether there is one, ruptures (an extra) says where. The test is exact for values that are
equally likely in any order, whatever their distribution. ``docs/history.md`` has its rates of error, by simulation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from ruptures import KernelCPD
from scipy import special

__all__ = ["ERROR_RATE", "FEWEST_VALUES", "ChangePoint", "change_points", "limited"]

Floats = NDArray[np.float64]

ERROR_RATE = 0.05
"""The probability that series without a change show one, over all of them."""
FEWEST_VALUES = 8
"""The fewest values that can show a change: of 7, more than one order in 25 looks like a change."""
_SHORTEST_LEVEL = 2
"""The fewest values of a level; a single value is an outlier."""
_SHARE_OF_TWO_LEVELS = 0.8
"""The share of the errors for two levels; the rest is for three: a level that is left again may not show as two."""
_FENCE = 1.5
"""Values farther from the quartiles than so many times their distance count as if they lay there, so that a single one
hides no change (J. W. Tukey, *Exploratory Data Analysis*, 1977: the inner fences)."""
_ENOUGH_EXCEEDED = 20
"""The number of orders with as large a change after which no more are tried (J. Besag and P. Clifford, *Sequential
Monte Carlo p-values*, 1991)."""
_MOST_ORDERS, _MOST_WORK = 9_999, 200_000_000
"""The most orders that are tried, and the most orders × pairs of breaks."""
_ORDERS_AT_ONCE = 100
_SEED = 20261129
_ROUNDING = 1 - 1e-9


@dataclass(frozen=True)
class ChangePoint:
    """A change of the level."""

    position: int
    """The index of the first value of the new level."""
    size: float
    """The mean of the new level minus that of the one before."""
    low: float
    """Lower end of the 95 % interval."""
    high: float
    """Upper end of the 95 % interval."""


def change_points(series: Sequence[ArrayLike]) -> list[tuple[ChangePoint, ...]]:
    """Return the change points of each series.

    If no series has a change, the probability that any shows one is at most ``ERROR_RATE``. If some have, at most that
    share of those that show one is expected to have none (Y. Benjamini and Y. Hochberg, *Controlling the false
    discovery rate*, 1995; within a series, Y. Benjamini and M. Bogomolov, *Selective inference on multiple families of
    hypotheses*, 2014).
    """
    arrays = [np.asarray(values, dtype=np.float64) for values in series]
    # No case is held to a lower level: a change that is significant at it by two levels needs no test for three.
    lowest = ERROR_RATE / max(len(arrays), 1)
    tests = [_test(values, lowest) for values in arrays]
    level = _level([test.probability for test, values in zip(tests, arrays, strict=True) if _is_testable(values)])
    found = [_confirmed(values, test, level) for values, test in zip(arrays, tests, strict=True)]
    return [_sized(values, breaks) for values, breaks in zip(arrays, found, strict=True)]


def _level(probabilities: Sequence[float]) -> float:
    """Return the largest probability that counts as significant, by the step-up procedure of Benjamini and Hochberg."""
    levels = [ERROR_RATE * rank / len(probabilities) for rank in range(1, len(probabilities) + 1)]
    return max((level for level, one in zip(levels, sorted(probabilities), strict=True) if one <= level), default=0.0)


@dataclass(frozen=True)
class _Test:
    """The probabilities that an order chosen by chance shows as large a change, each ÷ its share of the errors."""

    of_two_levels: float = 1.0
    of_three_levels: float = 1.0
    """1 where they were not tried."""

    @property
    def probability(self) -> float:
        """The probability of any change that is as large."""
        return min(self.of_two_levels, self.of_three_levels, 1.0)

    def number(self, level: float) -> int:
        """Return how many changes are significant at this level: 0, 1, or 2 for a level that is left again."""
        return 1 if self.of_two_levels <= level else 2 if self.of_three_levels <= level else 0


def _is_testable(values: Floats) -> bool:
    return len(values) >= FEWEST_VALUES and bool(np.ptp(values) > 0)


def _test(values: Floats, level: float) -> _Test:
    """Test a series for two levels, and where they are not significant at this level, for three."""
    if not _is_testable(values):
        return _Test()
    centred = limited(values)
    centred = centred - centred.mean()
    of_two = _probability(centred, _gain_of_two_levels, _MOST_ORDERS) / _SHARE_OF_TWO_LEVELS
    if of_two <= level:
        return _Test(of_two)
    orders = min(_MOST_ORDERS, _MOST_WORK // len(values) ** 2)
    return _Test(of_two, _probability(centred, _gain_of_three_levels, orders) / (1 - _SHARE_OF_TWO_LEVELS))


def limited(values: Floats) -> Floats:
    """Return the values, with those beyond the fences on the fences."""
    first, third = np.quantile(values, (0.25, 0.75))
    reach = _FENCE * (third - first)
    return np.clip(values, first - reach, third + reach) if reach > 0 else values


def _confirmed(values: Floats, test: _Test, level: float) -> list[int]:
    """Return the breaks that are significant, and those within the parts, which share the level by their lengths."""
    number = test.number(level)
    if not number:
        return []
    here = _optimal_breaks(limited(values), number)
    breaks = list(here)
    for start, end in pairwise((0, *here, len(values))):
        part, of_part = values[start:end], level * (end - start) / len(values)
        breaks += [start + one for one in _confirmed(part, _test(part, of_part), of_part)]
    return sorted(breaks)


def _probability(values: Floats, gain: Callable[[Floats], Floats], most: int) -> float:
    """Return the probability that an order of the values chosen by chance has as large a gain as the one that is given.

    ``values``: with mean 0. The probability is estimated from at most so many orders, always the same ones.
    """
    observed = gain(values[None])[0] * _ROUNDING
    random = np.random.default_rng(_SEED)
    exceeded = 0
    for tried in range(0, most, _ORDERS_AT_ONCE):
        orders = random.permuted(np.tile(values, (min(_ORDERS_AT_ONCE, most - tried), 1)), axis=1)
        as_large = np.flatnonzero(gain(orders) >= observed)
        if exceeded + len(as_large) >= _ENOUGH_EXCEEDED:
            last = int(as_large[_ENOUGH_EXCEEDED - exceeded - 1])
            return _ENOUGH_EXCEEDED / (tried + last + 1)
        exceeded += len(as_large)
    return (exceeded + 1) / (most + 1)


def _gain_of_two_levels(series: Floats) -> Floats:
    """Return by how much two levels in place of one lower the sum of squares; of shape (series, values), mean 0."""
    length = series.shape[-1]
    before = np.arange(_SHORTEST_LEVEL, length - _SHORTEST_LEVEL + 1)
    sums = np.cumsum(series, axis=-1)[:, before - 1]
    return np.asarray((sums**2 * (length / (before * (length - before)))).max(axis=-1))


def _gain_of_three_levels(series: Floats) -> Floats:
    """Return by how much three levels in place of one lower the sum of squares; of shape (series, values), mean 0."""
    length = series.shape[-1]
    sums = np.cumsum(series, axis=-1)
    places = np.arange(1, length)
    of_first, of_last = sums[:, :-1] ** 2 / places, sums[:, :-1] ** 2 / (length - places)
    largest = np.zeros(len(series))
    for first in range(_SHORTEST_LEVEL, length - 2 * _SHORTEST_LEVEL + 1):
        second = slice(first + _SHORTEST_LEVEL - 1, length - _SHORTEST_LEVEL)
        between = (sums[:, second] - sums[:, first - 1, None]) ** 2 / (places[second] - first)
        gains = (between + of_last[:, second]).max(axis=-1) + of_first[:, first - 1]
        np.maximum(largest, gains, out=largest)
    return largest


def _optimal_breaks(values: Floats, number: int) -> tuple[int, ...]:
    """Return the breaks between levels with the least sum of squares around their means."""
    search: Any = KernelCPD(kernel="linear", min_size=_SHORTEST_LEVEL)
    # Squares of small numbers far from 0 would lose their digits.
    return tuple(search.fit((values - values.mean()) / values.std()).predict(n_bkps=number)[:-1])


def _sized(values: Floats, breaks: Sequence[int]) -> tuple[ChangePoint, ...]:
    """Return as many change points as there are breaks, where all together fit best, with their sizes.

    All levels are taken to have the same noise, so that a level of two values has an interval, too.
    """
    if not breaks:
        return ()
    without_outliers = np.concatenate([limited(part) for part in np.split(values, breaks)])
    positions = _optimal_breaks(without_outliers, len(breaks))
    levels = np.split(values, positions)
    squares = sum(float(((level - level.mean()) ** 2).sum()) for level in levels)
    degrees = len(values) - len(levels)
    quantile = float(special.stdtrit(degrees, 0.975)) * math.sqrt(squares / degrees)
    found = []
    for position, (before, after) in zip(positions, pairwise(levels), strict=True):
        size = float(after.mean() - before.mean())
        half = quantile * math.sqrt(1 / len(before) + 1 / len(after))
        found.append(ChangePoint(position, size, size - half, size + half))
    return tuple(found)
