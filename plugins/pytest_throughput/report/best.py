"""Each framework at its best: the fastest of its configurations for each work.

A configuration is an execution and a layout. The work includes the precision, so that only equal precisions are
compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_throughput.report.grouping import grouped
from pytest_throughput.report.ratios import TO_ITSELF, Ratio, by_speed, comparable, ratio_between
from pytest_throughput.results.model import CaseResult

__all__ = ["Best", "bests", "compared_bests", "has_choice", "notes_on_bests"]


@dataclass(frozen=True)
class Best:
    """The fastest configuration of one framework, in one environment, for one work."""

    rows: tuple[CaseResult, ...]
    """All of its configurations that were measured, the fastest first."""
    ratio: Ratio | None
    """Its speed divided by that of the fastest framework at its best; None if no trial of both can be compared."""

    @property
    def case(self) -> CaseResult:
        """The fastest configuration."""
        return self.rows[0]

    @property
    def configurations(self) -> int:
        """How many configurations were measured."""
        return len(self.rows)

    @property
    def is_chosen(self) -> bool:
        """Whether there were several configurations to choose from."""
        return self.configurations > 1


def bests(cases: Sequence[CaseResult]) -> list[list[Best]]:
    """Return, for each work, the frameworks at their best, the fastest first.

    Rows that are not ok, or whose figures cannot be right, are left out, and so are those that name no framework.
    """
    return [_bests_of(by_speed(rows)) for rows in _works(cases)]


def has_choice(cases: Sequence[CaseResult]) -> bool:
    """Return whether a framework has several configurations for one work, so that `bests` chooses one of them."""
    return any(len(rows) > 1 for work in _works(cases) for rows in _by_framework(work))


def compared_bests(cases: Sequence[CaseResult]) -> list[Best]:
    """Return the frameworks at their best, for the works of at least two frameworks of which one had a choice."""
    return [
        best
        for work in bests(cases)
        if len({_framework(one.case) for one in work}) > 1 and any(one.is_chosen for one in work)
        for best in work
    ]


def notes_on_bests(found: Sequence[Best], cases: Sequence[CaseResult]) -> list[str]:
    """Return what to know of these choices among ``cases``: rows that were left out, and choices by one trial."""
    lines = []
    if any(case.implausible is not None for case in cases):
        lines.append("rows that are implausible are left out here")
    if any(best.is_chosen and len(best.case.measured) < 2 for best in found):
        more = "--throughput-order paired --throughput-trials 5"
        lines.append(f"by one trial, the fastest of several looks faster than it is: {more}")
    return lines


def _works(cases: Sequence[CaseResult]) -> list[list[CaseResult]]:
    sound = [case for case in cases if case.status == "ok" and case.implausible is None and "framework" in case.axes]
    return comparable(sound)


def _by_framework(rows: Sequence[CaseResult]) -> list[list[CaseResult]]:
    """Return the rows of each framework in each environment, in the order of the rows."""
    return grouped(rows, lambda row: (_framework(row), row.environment))


def _bests_of(rows: Sequence[CaseResult]) -> list[Best]:
    """Return the frameworks at their best, given the rows of one work, the fastest first."""
    fastest = rows[0]
    return [
        Best(tuple(of), TO_ITSELF if of[0] is fastest else ratio_between(of[0], fastest)) for of in _by_framework(rows)
    ]


def _framework(case: CaseResult) -> str:
    """Return the framework as a text: a marker may give any JSON value."""
    return str(case.axes["framework"])
