"""The wording of titles that state a finding."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pytest_throughput.report.charts.chart import BarPart

__all__ = ["clearly_first", "span"]


def span(values: Sequence[float], shown: Callable[[float], str]) -> str:
    """Return the smallest and the largest value as ``41 % to 62 %``, or one text if both read the same."""
    low, high = shown(min(values)), shown(max(values))
    return low if low == high else f"{low} to {high}"


def clearly_first(parts: Sequence[BarPart], *, is_highest: bool) -> int | None:
    """Return the position of the highest or lowest value; None unless its interval is apart from all others.

    Two 95 % intervals that do not overlap show a difference; two that overlap may hide one. A value without an interval
    is never apart, nor is a value that is alone. The values may be of any kind; ``findings.fastest`` compares primary
    metrics trial by trial.
    """
    first = (max if is_highest else min)(range(len(parts)), key=lambda position: parts[position].value)
    others = [part for position, part in enumerate(parts) if position != first]
    low, high = parts[first].low, parts[first].high
    if low is None or high is None or not others:
        return None
    is_apart = all(
        part.low is not None and part.high is not None and (part.high < low if is_highest else part.low > high)
        for part in others
    )
    return first if is_apart else None
