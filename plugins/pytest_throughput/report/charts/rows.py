"""The rows of bar and dot charts: their names at the left, and where each row lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_throughput.report.charts.drawing import WIDTH, group, text
from pytest_throughput.report.charts.lettering import BASE_LINE, fitted, width_of

__all__ = ["Rows"]

_LONGEST_NAME = 250
_GAP = 10
"""The space between two rows."""
_TALL = 480
"""The height from which on the ticks stand above the rows, too."""
_TOP_TICKS = 22


@dataclass(frozen=True)
class Rows:
    """The areas of rows, between the names at the left and the figures at the right."""

    names: tuple[str, ...]
    tops: tuple[float, ...]
    heights: tuple[float, ...]
    left: float
    right: float
    top: float
    bottom: float
    is_tall: bool

    @classmethod
    def of(cls, names: Sequence[str], heights: Sequence[float], *, top: float, beside: float) -> Rows:
        """Lay out rows of these heights below ``top``, with a space of width ``beside`` at their right."""
        is_tall = sum(heights) + _GAP * len(heights) > _TALL
        first = top + (_TOP_TICKS if is_tall else 0) + 4
        y = first + _GAP / 2
        tops = []
        for height in heights:
            tops.append(y)
            y += height + _GAP
        left = 8 + max((width_of(fitted(name, _LONGEST_NAME)) for name in names), default=0.0)
        return cls((*names,), (*tops,), (*heights,), left, WIDTH - beside, first, y - _GAP / 2, is_tall)

    def labels(self) -> str:
        """Return the names, each at the middle of its row."""
        middles = [top + height / 2 for top, height in zip(self.tops, self.heights, strict=True)]
        texts = [
            text(self.left - 8, y + BASE_LINE, name, _LONGEST_NAME) for name, y in zip(self.names, middles, strict=True)
        ]
        return group("c-end", texts)
