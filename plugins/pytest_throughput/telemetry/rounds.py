"""The rounds of a trial in time: how many items were worked through between two moments."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

__all__ = ["Rounds"]


@dataclass(frozen=True)
class Rounds:
    """The rounds of a trial, in their order."""

    window: tuple[float, float]
    """The start of the first and the end of the last, in seconds of ``time.monotonic``."""
    seconds: Sequence[float]
    """The seconds of each round. The rest of the window lies between them."""
    items: float
    """How many items, such as images, one round works through."""

    @property
    def share_of_window(self) -> float:
        """The share of the window that rounds fill."""
        length = self.window[1] - self.window[0]
        return self._ends[-1] / length if length > 0 else 0.0

    def items_between(self, start: float, end: float) -> float:
        """Return how many items were worked through between two times within the window.

        Within a round the rate is constant. The time between rounds is counted to each round in proportion.
        """
        return self.items * (self._rounds_until(end) - self._rounds_until(start))

    @cached_property
    def _ends(self) -> list[float]:
        return list(accumulate(self.seconds))

    def _rounds_until(self, at: float) -> float:
        worked = (at - self.window[0]) * self.share_of_window
        index = bisect_left(self._ends, worked)
        if index == len(self.seconds):
            return index
        return index + 1 - (self._ends[index] - worked) / self.seconds[index] if worked > 0 else 0.0
