"""Slowdowns so large that even few trials show them: beyond any noise seen on the hardware.

Three trials against three are too few to exclude that by chance all processes of base were in a fast state
and all of head in a slow one. A large gap excludes it: where all trials of head are slower than all of base
by far more than any two trials of any case on one side differ, only a disturbance or a state of the process
that was never seen before would explain it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pytest_throughput.gate.outliers import chance_of_separation
from pytest_throughput.gate.shrinkage import FEWEST_CASES_TO_POOL

__all__ = ["Gap", "gap_between"]

Floats = NDArray[np.float64]

_LEAST_FACTOR = 1.8
"""Smallest slowdown that counts as far: states of a process and ordinary disturbances lie closer together."""
_OWN_SPREADS = 3.0
"""Smallest gap between the sides, in widths of the wider of the two."""
_SPREADS_SEEN = 1.5
"""Smallest gap, in widths of the widest side of any case: a disturbance may be larger than any before it."""
_AGREEMENT = 1 / 3
"""Probability that one more disturbed trial of head agrees with the others as closely as ``_OWN_SPREADS`` demands."""
_HALF_OF_DISTURBANCES = 2.0
"""The factor f by which half of all disturbances slow a trial, or by more. For s > 1, the share that slows it by s f or
more is 1 ÷ (2 s)."""
_MOST_FACTOR = 200.0
"""Largest slowdown whose size is evidence."""


@dataclass(frozen=True)
class Gap:
    """The distance between the sides of each case, in logarithms; arrays of shape (…, cases)."""

    size: Floats
    """From the slowest trial of base down to the fastest of head; negative where the sides overlap, and infinite where
    a side has no trial."""
    needed: Floats
    """Smallest size that noise does not explain; infinite where no size would be enough."""
    width: Floats
    """From the slowest to the fastest trial of the wider side."""


def gap_between(base: Floats, head: Floats, limit: float) -> Gap:
    """Measure the gap of each case, given logarithms of speed of shape (…, cases, trials), NaN where there is no trial.

    ``limit``: the share of runs in which disturbances alone may open such a gap in any case. They do so
    where all n trials of head are disturbed, agree, and are disturbed by as much as the gap, while no trial
    of base is: no trial of this case, whose noise may be its own, and no trial of any of the cases.
    """
    slowest = np.where(np.isnan(base), np.inf, base).min(axis=-1)
    fastest = np.where(np.isnan(head), -np.inf, head).max(axis=-1)
    width = np.maximum(_width(base), _width(head))
    trials_head = (~np.isnan(head)).sum(axis=-1)
    cases = base.shape[-2]
    trials_base = (~np.isnan(base)).sum(axis=-1)
    of_case = chance_of_separation(trials_base, trials_head)
    of_any_case = cases * chance_of_separation(trials_base.sum(axis=-1, keepdims=True), trials_head)
    agreement = _AGREEMENT ** np.maximum(trials_head - 1, 0)
    # A state of the process agrees as well. With few cases nothing shows how far two states lie apart.
    of_case = of_case * (agreement if cases >= FEWEST_CASES_TO_POOL else cases)
    chance = np.maximum(of_case, of_any_case * agreement)
    factor = np.maximum(_LEAST_FACTOR, _HALF_OF_DISTURBANCES * chance / limit)
    enough = np.maximum(_OWN_SPREADS * width, _SPREADS_SEEN * width.max(axis=-1, keepdims=True))
    needed = np.where(factor <= _MOST_FACTOR, np.maximum(np.log(factor), enough), math.inf)
    return Gap(size=slowest - fastest, needed=needed, width=width)


def _width(side: Floats) -> Floats:
    there = ~np.isnan(side)
    width = np.where(there, side, -np.inf).max(axis=-1) - np.where(there, side, np.inf).min(axis=-1)
    return np.where(there.any(axis=-1), width, 0.0)
