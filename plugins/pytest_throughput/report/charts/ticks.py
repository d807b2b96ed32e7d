"""The ticks of axes: round numbers, or the values that were measured."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from pytest_throughput.report.charts.number_text import power_of_ten, scientific, short_number

__all__ = ["Step", "Tick", "given_ticks", "linear_ticks", "log_ticks", "step_of"]

_ROUNDING = 1e-9
"""The share of a step by which a tick may lie beyond the end of the axis: the error of floating-point numbers."""


class Tick(NamedTuple):
    """A marked value of an axis."""

    value: float
    text: str


class Step(NamedTuple):
    """The distance of two ticks: 1, 2 or 5 times a power of ten."""

    factor: int
    exponent: int

    @property
    def size(self) -> float:
        """The distance as a number."""
        return self.times(1)

    def times(self, count: int) -> float:
        """Return the multiple as the nearest floating-point number, without the error of a product."""
        return float(f"{count * self.factor}e{self.exponent}")

    def at_most(self, value: float) -> float:
        """Return the largest multiple that is no larger than the value."""
        count = round(value / self.size)
        return self.times(count if self.times(count) <= value else count - 1)


def step_of(low: float, high: float, most: int) -> Step:
    """Return the smallest round step by which there are at most about ``most`` intervals from low to high."""
    smallest = (high - low) / most
    exponent = math.floor(math.log10(smallest))
    steps = [Step(1, exponent), Step(2, exponent), Step(5, exponent), Step(1, exponent + 1)]
    return next((step for step in steps if step.size >= smallest * (1 - _ROUNDING)), steps[-1])


def linear_ticks(low: float, high: float, most: int) -> tuple[Tick, ...]:
    """Return the multiples of a round step from low to high, with as many decimals as the step has."""
    step = step_of(low, high, most)
    first, last = math.ceil(low / step.size - _ROUNDING), math.floor(high / step.size + _ROUNDING)
    values = [step.times(count) for count in range(first, last + 1)]
    largest = max(map(abs, values), default=0.0)
    if largest >= 1e9 or step.exponent < -6:
        power = math.floor(math.log10(largest)) if largest else 0
        decimals = max(0, power - step.exponent)
        return tuple(Tick(value, scientific(value, decimals, power) if value else "0") for value in values)
    return tuple(Tick(value, f"{value:,.{max(0, -step.exponent)}f}") for value in values)


def log_ticks(low: float, high: float, most: int) -> tuple[Tick, ...]:
    """Return 1, 2 and 5 of each power of ten, or powers alone; on an axis too short for these, round numbers."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    decades = [exponent for exponent in exponents if _is_within(float(f"1e{exponent}"), low, high)]
    candidates = [float(f"{factor}e{exponent}") for exponent in exponents for factor in (1, 2, 5)]
    values = [value for value in candidates if _is_within(value, low, high)]
    if len(values) < 3:
        return linear_ticks(low, high, most)
    if len(values) > most:
        stride = math.ceil(len(decades) / most)
        values = [float(f"1e{exponent}") for exponent in decades if exponent % stride == 0]
        if decades[0] < -4 or decades[-1] > 6:
            return tuple(Tick(value, power_of_ten(value)) for value in values)
    return given_ticks(values, low, high)


def given_ticks(values: Iterable[float], low: float, high: float) -> tuple[Tick, ...]:
    """Return those of the values that lie on the axis, in order."""
    return tuple(Tick(value, short_number(value)) for value in sorted({*values}) if _is_within(value, low, high))


def _is_within(value: float, low: float, high: float) -> bool:
    return low - _ROUNDING * abs(low) <= value <= high + _ROUNDING * abs(high)
