"""The thresholds of single cases and metrics, as patterns of which the first that matches counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

__all__ = ["Pattern", "Thresholds"]


@dataclass(frozen=True)
class Pattern:
    """The threshold of the cases and metrics that match two globs."""

    cases: str
    """A glob on case ids."""
    share: float
    """The smallest slowdown that matters, as a share."""
    metrics: str = "*"
    """A glob on names of metrics."""

    def matches(self, case_id: str, metric: str) -> bool:
        return fnmatchcase(metric, self.metrics) and fnmatchcase(case_id, self.cases)


@dataclass(frozen=True)
class Thresholds:
    """Patterns in the order of their file."""

    patterns: tuple[Pattern, ...] = ()

    def first(self, case_id: str, metric: str) -> Pattern | None:
        """Return the first pattern that matches a case and a metric; None if none does."""
        return next((one for one in self.patterns if one.matches(case_id, metric)), None)

    def unused(self, pairs: Iterable[tuple[str, str]]) -> list[Pattern]:
        """Return the patterns that are the first match of none of these pairs of a case id and a metric."""
        used = {self.first(case_id, metric) for case_id, metric in pairs} if self.patterns else set()
        return [one for one in self.patterns if one not in used]
