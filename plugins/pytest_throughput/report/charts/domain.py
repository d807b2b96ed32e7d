"""The range of values that an axis shows, and where on it a value lies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pytest_throughput.report.charts.chart import Axis
from pytest_throughput.report.charts.ticks import Tick, given_ticks, linear_ticks, log_ticks, step_of

__all__ = ["Domain", "domain_of", "is_drawable"]

_LARGEST, _SMALLEST = 1e100, 1e-100
"""Beyond these magnitudes, differences and quotients of values would not stay finite numbers."""
_LEAST_SPAN = 1e-9
"""The least range, as a share of the largest value, whose ticks can be told apart."""
_NEAR_ZERO = 0.6
"""Values that reach down to this share of the largest are shown with zero."""


@dataclass(frozen=True)
class Domain:
    """The range of values that an axis shows."""

    low: float
    high: float
    is_log: bool
    ticks: tuple[Tick, ...]

    def at(self, value: float, start: float, end: float) -> float:
        """Return the coordinate of the value on an axis from ``start`` to ``end``; beyond the range, of its end."""
        if not self.is_log:
            share = (value - self.low) / (self.high - self.low)
        elif value <= 0:
            share = 0.0
        else:
            share = (math.log(value) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
        return start + (end - start) * min(1.0, max(0.0, share))

    def holds(self, value: float) -> bool:
        """Return whether the value is within the range."""
        return self.low <= value <= self.high


def is_drawable(value: float, axis: Axis) -> bool:
    """Return whether the value is a finite number that the axis can show: on a logarithmic one, a positive one."""
    return (_SMALLEST if axis.scale == "log" else -_LARGEST) <= value <= _LARGEST


def domain_of(
    values: Sequence[float],
    axis: Axis,
    most_ticks: int,
    *,
    ends: Sequence[float] = (),
    zero: Literal["always", "near", "never"] = "never",
    ends_on_ticks: bool = False,
) -> Domain:
    """Return the range of drawable values and of the ends of their intervals.

    An interval that is far longer than the values are large does not extend the range to its end, since the values
    could then no longer be told apart. ``zero`` says when a linear range includes zero.
    """
    if axis.scale == "log":
        return _log_domain(values, axis, most_ticks, ends)
    low, high = min(values, default=0.0), max(values, default=1.0)
    reach = max(abs(low), abs(high))
    within = [min(max(end, -reach), 2 * reach) for end in ends if is_drawable(end, axis)]
    low, high = min([low, *within]), max([high, *within])
    if zero == "always" or (zero == "near" and 0 < low <= _NEAR_ZERO * high):
        low, high = min(low, 0.0), max(high, 0.0)
    low, high = _with_span(low, high)
    if ends_on_ticks:
        step = step_of(low, high, most_ticks)
        low, high = step.at_most(low), -step.at_most(-high)
    ticks = given_ticks(axis.values, low, high) if axis.values else linear_ticks(low, high, most_ticks)
    return Domain(low, high, False, ticks)


def _with_span(low: float, high: float) -> tuple[float, float]:
    largest = max(abs(low), abs(high))
    if largest < _SMALLEST:
        return 0.0, 1.0
    if high - low > _LEAST_SPAN * largest:
        return low, high
    return low - 0.1 * largest, high + 0.1 * largest


def _log_domain(values: Sequence[float], axis: Axis, most_ticks: int, ends: Sequence[float]) -> Domain:
    low, high = min(values, default=1.0), max(values, default=10.0)
    within = [min(max(end, low / 10), high * 10) for end in ends if is_drawable(end, axis)]
    low, high = min([low, *within]), max([high, *within])
    if high / low < 1 + _LEAST_SPAN:
        low, high = low / 1.5, high * 1.5
    ticks = given_ticks(axis.values, low, high) if axis.values else log_ticks(low, high, most_ticks)
    return Domain(low, high, True, ticks)
