"""The search for the first slower of ordered candidates, such as commits, where some comparisons stay undecided."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

__all__ = ["Finding", "Remaining", "finding_of", "halfway", "search"]


class Finding(StrEnum):
    """What a comparison of a candidate with the good one says."""

    SLOWER = "slower"
    NOT_SLOWER = "not slower"
    UNDECIDED = "undecided"


_FINDINGS = {"regressed": Finding.SLOWER, "unchanged": Finding.NOT_SLOWER, "improved": Finding.NOT_SLOWER}


@dataclass(frozen=True)
class Remaining:
    """The candidates among which the first slower one is: all after ``good`` and up to ``bad``."""

    good: int
    """The last candidate that is not slower."""
    bad: int
    """The first candidate after it that is slower."""

    @property
    def is_single(self) -> bool:
        """Whether ``bad`` is the first slower candidate; otherwise those between ``good`` and it are undecided."""
        return self.bad == self.good + 1


def search(bad: int, judge: Callable[[int], Finding]) -> Remaining:
    """Return where the candidates 0, 1, …, ``bad`` become slower, of which 0 is known to be good and the last is not.

    ``judge`` compares a candidate with number 0, and is called at most once for each. An undecided candidate is left
    where it is, and the search goes on with others: without any of them, it is a binary search.
    """
    good = 0
    undecided: set[int] = set()
    while (candidate := _next(good, bad, undecided)) is not None:
        finding = judge(candidate)
        if finding is Finding.SLOWER:
            bad = candidate
        elif finding is Finding.NOT_SLOWER:
            good = candidate
        else:
            undecided.add(candidate)
    return Remaining(good, bad)


def _next(good: int, bad: int, undecided: Collection[int]) -> int | None:
    """Return the middle of the longest range of candidates that were not tried; None if all were.

    Neighbours of an undecided candidate are often undecided for the same reason, as where a build fails.
    """
    ends = sorted({good, bad, *(each for each in undecided if good < each < bad)})
    low, high = max(pairwise(ends), key=lambda each: each[1] - each[0])
    return (low + high) // 2 if high - low > 1 else None


def finding_of(verdict: str) -> Finding:
    """Return what a verdict of the gate on a candidate against the good one says."""
    return _FINDINGS.get(verdict, Finding.UNDECIDED)


def halfway(ratio: float) -> float:
    """Return half of a slowdown, given the ratio of speeds: the threshold between the good and the slower candidates.

    The half is that of the logarithms, as a share of the seconds: 0.0488 for a ratio of 1 / 1.1. It is at most 1, since
    the rules of the gate have a largest threshold.
    """
    return min(1.0, math.sqrt(1 / ratio) - 1)
