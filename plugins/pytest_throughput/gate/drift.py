"""Slow drifts of series: a line that falls from value to value by more than noise explains."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

__all__ = ["FEWEST_VALUES", "Drift", "Line", "drifts_of"]

Floats = NDArray[np.float64]

FEWEST_VALUES = 5
"""The fewest values with a drift: one jump explains nearly all that fewer values show."""
_NO_LENGTH = 1e-9


@dataclass(frozen=True)
class Line:
    """Values in which a drift is looked for."""

    values: Sequence[float]
    """At least ``FEWEST_VALUES`` logarithms of speed."""
    pieces: Sequence[int]
    """For each value, how many changes of the level before it were wanted."""
    least: float
    """The smallest fall from the first value to the last that matters."""


@dataclass(frozen=True)
class Drift:
    """A drift to the worse."""

    slope: float
    """The change from one value to the next."""
    low: float
    """Lower end of its 95 % interval."""
    high: float
    """Upper end of its 95 % interval."""
    total: float
    """The change from the first value to the last."""


def drifts_of(lines: Sequence[Line], rate: float) -> list[Drift | None]:
    """Return the drift of each line; None where there is none for certain, or a single jump explains it as well.

    If no line has a drift, the probability that any is returned is at most ``rate``: Student's t of the slope, for
    equal, independent, normal noise, and Bonferroni over the lines. A line jumps where a change was wanted, and has the
    same slope before and after.
    """
    return [_drift_of(line, rate / len(lines)) for line in lines]


def _drift_of(line: Line, rate: float) -> Drift | None:
    positions, pieces = np.arange(len(line.values)), np.asarray(line.pieces)
    times, moves = _centred(np.array([positions, line.values], dtype=np.float64), pieces)
    degrees = len(positions) - len(set(line.pieces)) - 1
    spread, squares = float(times @ times), float(moves @ moves)
    if degrees < 1 or spread < _NO_LENGTH:
        return None
    slope = float(times @ moves) / spread
    total = slope * (len(positions) - 1)
    around_line = squares - slope**2 * spread
    if -total < line.least or around_line > squares - _explained_by_jump(moves, pieces):
        return None
    error = math.sqrt(max(around_line, 0.0) / degrees / spread)
    if slope >= special.stdtrit(degrees, rate) * error:
        return None
    half = float(special.stdtrit(degrees, 0.975)) * error
    return Drift(slope, slope - half, slope + half, total)


def _explained_by_jump(moves: Floats, pieces: NDArray[np.int_]) -> float:
    """Return the most that one jump anywhere lowers the sum of squares around the means of the pieces."""
    positions = np.arange(len(moves))
    jumps = _centred((positions >= positions[1:, None]).astype(np.float64), pieces)
    lengths = (jumps**2).sum(axis=-1)
    return float(((jumps @ moves) ** 2 / np.where(lengths > _NO_LENGTH, lengths, np.inf)).max())


def _centred(rows: Floats, pieces: NDArray[np.int_]) -> Floats:
    """Return the rows minus their means within each piece."""
    members = (pieces == np.unique(pieces)[:, None]).astype(np.float64)
    return np.asarray(rows - (rows @ members.T / members.sum(axis=-1)) @ members)
