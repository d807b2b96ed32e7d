"""The words for changes of a metric: a rate or seconds get slower, any other figure gets more or less."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pytest_throughput.gate.judged import JudgedMetric

__all__ = ["SPEED", "Wording", "bounded", "percent", "wording_of"]

_LARGEST_LOG = 700.0
_SMALLEST_CHANGE = 0.0005


@dataclass(frozen=True)
class Wording:
    """The words for a metric; logarithms of ratios are negative where head is worse."""

    loss: str
    """A change for the worse."""
    gain: str
    """A change for the better."""
    good: str
    """The state of a process in which its figures are good."""
    bad: str
    far: str
    """How the outliers of a case differ from its other trials."""
    usual: str
    is_speed: bool = False
    is_lower_better: bool = False

    def change(self, log_ratio: float) -> str:
        """Return a change in words.

        For a speed, 5 % slower means 5 % more seconds, and ×3 slower three times the seconds. For any other metric, it
        is the change of the metric's own value.
        """
        log_ratio = bounded(log_ratio)
        share = math.expm1(abs(log_ratio))
        if share < _SMALLEST_CHANGE:
            return "no change"
        if self.is_speed:
            return f"{_size(share)} {'slower' if log_ratio < 0 else 'faster'}"
        if (log_ratio < 0) is not self.is_lower_better:
            return f"{percent(-math.expm1(-abs(log_ratio)))} less"
        return f"{percent(share)} more" if share <= 1 else f"×{share + 1:.3g} as much"

    def at_least(self, log_ratio: float) -> str:
        """Return a change for the worse by so much or more, given its logarithm as a positive number."""
        if self.is_speed:
            return f"{self.change(-log_ratio)} or more"
        return f"{self.loss} of {_size(math.expm1(bounded(log_ratio)))} or more"


SPEED = Wording(
    loss="a slowdown",
    gain="the speed-up",
    good="fast",
    bad="slow",
    far="far slower",
    usual="the usual speed",
    is_speed=True,
)
_LOWER_IS_BETTER = Wording(
    loss="an increase",
    gain="the decrease",
    good="low",
    bad="high",
    far="far higher",
    usual="the usual value",
    is_lower_better=True,
)
_HIGHER_IS_BETTER = Wording(
    loss="a decrease", gain="the increase", good="high", bad="low", far="far lower", usual="the usual value"
)


def wording_of(metric: JudgedMetric | None) -> Wording:
    """Return the words for a metric; one that is unknown is a rate."""
    if metric is None:
        return SPEED
    if metric.better == "lower":
        return SPEED if metric.unit == "s" else _LOWER_IS_BETTER
    return SPEED if metric.unit.endswith("/s") else _HIGHER_IS_BETTER


def percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def bounded(log_ratio: float) -> float:
    """Return the logarithm limited to a range whose exponential is finite; files are untrusted."""
    return min(max(log_ratio, -_LARGEST_LOG), _LARGEST_LOG)


def _size(share: float) -> str:
    return percent(share) if share <= 1 else f"×{share + 1:.3g}"
