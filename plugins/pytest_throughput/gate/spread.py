"""The spread of the values of each side: trials within their units of replication, and units around their mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pytest_throughput.gate.shrinkage import FEWEST_CASES_TO_POOL

__all__ = ["Spread", "Units", "spread_of", "units_of", "variance_within"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Units:
    """The units of one side, each the mean of its trials; arrays of shape (…, cases, units)."""

    means: Floats
    """Means of logarithms of speed; 0 where there is no trial."""
    trials: NDArray[np.int_]
    squares: Floats
    """Sums of squared deviations of the trials from their unit's mean."""

    @property
    def there(self) -> Bools:
        return self.trials > 0

    @property
    def count(self) -> NDArray[np.int_]:
        return np.asarray(self.there.sum(axis=-1))

    @property
    def mean(self) -> Floats:
        """Return each case's mean over its units."""
        return np.asarray(self.means.sum(axis=-1) / np.maximum(self.count, 1))

    @property
    def typical_trials(self) -> Floats:
        """Return the harmonic mean of the number of trials per unit, by which averaging reduces the variance."""
        inverse = np.where(self.there, 1.0 / np.maximum(self.trials, 1), 0.0).sum(axis=-1)
        return np.asarray(np.where(inverse > 0, self.count / np.maximum(inverse, 1e-300), 1.0))


def units_of(logs: Floats, kept: Bools) -> Units:
    """Return the units made of the kept trials; both arrays have shape (…, cases, units, trials)."""
    trials = kept.sum(axis=-1)
    means = np.where(kept, logs, 0.0).sum(axis=-1) / np.maximum(trials, 1)
    squares = np.where(kept, (logs - means[..., None]) ** 2, 0.0).sum(axis=-1)
    return Units(means, trials, squares)


def variance_within(*sides: Units) -> tuple[Floats, Floats]:
    """Return the variance of trials within a unit, and its degrees of freedom."""
    squares = sum(units.squares.sum(axis=-1) for units in sides)
    degrees = sum(np.maximum(units.trials - 1, 0).sum(axis=-1) for units in sides) + 0.0
    return squares / np.maximum(degrees, 1e-9), degrees


@dataclass(frozen=True)
class Spread:
    """The variances between units, and their degrees of freedom."""

    common: Floats
    """Variance of the part that moves all cases of a unit together; of shape (…, 1)."""
    common_degrees: Floats
    own: Floats
    """Variance of the remaining part of each case; of shape (…, cases)."""
    own_degrees: Floats


def spread_of(sides: Sequence[tuple[Floats, Bools]], *, shared: bool) -> Spread:
    """Return the spread between units, pooled over the sides.

    ``sides``: for each side the means of its units, and which units exist, both of shape (…, cases,
    units). Each side is centred by itself, so that a difference between the sides does not count as
    noise. ``shared``: the units contain all cases, and have a common part. It is estimated by the median
    over the cases, which is robust against a case that changed, in units that contain at least half of
    the cases. A case with a single unit on a side does not contribute.
    """
    first = sides[0][0]
    common = np.zeros((*first.shape[:-2], 1))
    common_degrees = np.zeros((*first.shape[:-2], 1))
    squares, degrees = np.zeros(first.shape[:-1]), np.zeros(first.shape[:-1])
    for means, there in sides:
        centre = np.where(there, means, 0.0).sum(axis=-1) / np.maximum(there.sum(axis=-1), 1)
        residuals = np.where(there, means - centre[..., None], 0.0)
        if shared:
            has_several = there & (there.sum(axis=-1, keepdims=True) > 1)
            cases = has_several.any(axis=-1, keepdims=True).sum(axis=-2, keepdims=True)
            known = has_several.sum(axis=-2, keepdims=True) >= np.maximum(cases / 2, FEWEST_CASES_TO_POOL)
            moves = np.where(known, _median_over_cases(residuals, has_several), 0.0)
            residuals = np.where(has_several, residuals - moves, 0.0)
            common += (moves**2).sum(axis=(-1, -2))[..., None]
            common_degrees += np.maximum(known.sum(axis=(-1, -2))[..., None] - 1, 0)
        squares += (residuals**2).sum(axis=-1)
        degrees += np.maximum(there.sum(axis=-1) - 1, 0)
    if shared:
        degrees *= 1 - 1 / first.shape[-2]
    common_degrees = np.maximum(common_degrees, 1.0)
    return Spread(common / common_degrees, common_degrees, squares / np.maximum(degrees, 1e-9), degrees)


def _median_over_cases(values: Floats, there: Bools) -> Floats:
    """Return the median over the cases that exist, of shape (…, 1, units)."""
    ordered = np.sort(np.where(there, values, np.inf), axis=-2)
    count = there.sum(axis=-2, keepdims=True)
    lower = np.take_along_axis(ordered, np.maximum(count - 1, 0) // 2, axis=-2)
    upper = np.take_along_axis(ordered, np.minimum(count // 2, values.shape[-2] - 1), axis=-2)
    return np.where(count > 0, np.where(count > 0, lower + upper, 0.0) / 2, 0.0)
