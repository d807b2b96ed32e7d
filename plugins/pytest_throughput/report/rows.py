"""The rows of a table: their names, and their order."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pytest_throughput.naming import CONTENDERS, DEFAULT_ENVIRONMENT
from pytest_throughput.report.columns import Row
from pytest_throughput.report.figures import Figure
from pytest_throughput.report.grouping import grouped
from pytest_throughput.results.model import CaseResult
from pytest_throughput.text import printable

__all__ = ["in_order", "names_of", "rows_by_key", "rows_of", "shared_axes", "shown_shared_axes", "side_by_side"]

_LONGEST_NAME = 500
"""The most characters of a name: every row of a table is as wide as its widest row."""
_NEVER_SHARED = ("mode", "model")
"""Axes that a row names even if all cases have the same value."""
_AXES_WITH_UNITS = {"batch_size": "batch {}", "loader_workers": "{} loader workers", "epochs": "{} epochs"}


def rows_of(cases: Sequence[CaseResult]) -> list[Row]:
    """Return the names of the cases: the work, without what all of them have in common, and what it is measured in."""
    shared = shared_axes(cases)
    return [Row(_work(case, shared), _contender(case)) for case in cases]


def rows_by_key(cases: Sequence[CaseResult]) -> dict[tuple[str, str], Row]:
    """Return the names of the cases by their keys: see ``rows_of``."""
    return {case.key: row for case, row in zip(cases, rows_of(cases), strict=True)}


def names_of(cases: Sequence[CaseResult], *, without: Collection[str] = ()) -> list[str]:
    """Return the names on one line: what each case is measured in, and its work, ``without`` these axes."""
    named = [
        replace(case, axes={name: value for name, value in case.axes.items() if name not in without}) for case in cases
    ]
    return [" ".join(filter(None, (row.member, row.group))) for row in rows_of(named)]


def shared_axes(cases: Sequence[CaseResult], *, never: Collection[str] = _NEVER_SHARED) -> dict[str, Any]:
    """Return the axes that have one value in all cases, which need not be repeated in every row, but for ``never``."""
    if not cases:
        return {}
    return {
        name: value
        for name, value in cases[0].axes.items()
        if name not in never and all(name in case.axes and case.axes[name] == value for case in cases)
    }


def shown_shared_axes(cases: Sequence[CaseResult]) -> list[str]:
    """Return the values of the axes of the work that are the same in all cases."""
    axes = shared_axes(cases).items()
    return [_shown_axis(name, value) for name, value in axes if name not in CONTENDERS and value is not None]


def side_by_side(cases: Sequence[CaseResult]) -> list[CaseResult]:
    """Return the cases with those of the same work together, otherwise in the order of the run."""
    return [case for together in _works(cases) for case in together]


def in_order(cases: Sequence[CaseResult], sort: str, figures: Mapping[str, Figure]) -> list[CaseResult]:
    """Return the cases in the order of the run, by their names, or by one of ``figures``, the best first.

    The rows of a work stay together: they are sorted among themselves, and the works by their first rows. Rows without
    the figure come last.
    """
    if sort == "run":
        return side_by_side(cases)
    rows = rows_by_key(cases)

    def position(case: CaseResult) -> Any:
        if sort == "name":
            return _natural(rows[case.key].group), _natural(rows[case.key].member)
        order = figures[sort].order(case)
        return order is None, order or ()

    works = [sorted(together, key=position) for together in _works(cases)]
    return [case for together in sorted(works, key=lambda work: position(work[0])) for case in together]


def _works(cases: Sequence[CaseResult]) -> list[list[CaseResult]]:
    return grouped(cases, lambda case: case.work)


def _natural(text: str) -> list[str | int]:
    """Return what sorts the text so that ``batch 8`` comes before ``batch 16``."""
    parts = re.split(r"([0-9]+)", text.casefold())
    return [int(part) if index % 2 else part for index, part in enumerate(parts)]


def _work(case: CaseResult, shared: dict[str, Any]) -> str:
    if not case.axes:
        return printable(case.id, _LONGEST_NAME)
    axes = [
        _shown_axis(name, value)
        for name, value in case.axes.items()
        if name not in CONTENDERS and name not in shared and value is not None
    ]
    return printable(" ".join(axes), _LONGEST_NAME)


def _contender(case: CaseResult) -> str:
    parts = [case.axes.get(name) for name in CONTENDERS]
    if case.environment != DEFAULT_ENVIRONMENT:
        parts.append(case.environment)
    return printable(" ".join(str(part) for part in parts if part is not None), _LONGEST_NAME)


def _shown_axis(name: str, value: Any) -> str:
    return printable(_AXES_WITH_UNITS.get(name, "{}").format(value))
