"""The section of all cases: a row for each, with its axes, figures, status, and the command that repeats it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_throughput.naming import DEFAULT_ENVIRONMENT
from pytest_throughput.report.charts.chart import Cell, DataTable, Section
from pytest_throughput.report.figures import Figure, figures_of
from pytest_throughput.report.ratios import ratios_to_fastest
from pytest_throughput.report.repeat import NOT_RECORDED, commands_of
from pytest_throughput.report.rows import shared_axes
from pytest_throughput.report.table import status_of
from pytest_throughput.results.model import CaseResult, RunResult
from pytest_throughput.text import count

__all__ = ["section"]

_MOST_COMMANDS = 1_000
"""The most cases whose commands are in the table: they take a third of its bytes."""
_MOST_AXES = 50
"""The most axes that have a column: the cases of a file may have 50 each, all of them with other names."""
_NEVER_SHARED = ("mode", "model", "framework")
"""Axes that have a column even if all cases have the same value."""
_RESULT = ("images_per_second", "ratio", "spread")
"""The figures that stand before the status; the others follow it."""
_UNKNOWN = "-"


@dataclass(frozen=True)
class _Column:
    heading: str
    cells: Sequence[Cell]
    is_number: bool = True

    @property
    def is_empty(self) -> bool:
        """Whether no case has a value."""
        return all(cell.text in (_UNKNOWN, "") for cell in self.cells)


def section(result: RunResult) -> Section | None:
    """Return the table of all cases; None if there are none."""
    cases = result.cases
    if not cases:
        return None
    figures = figures_of(cases, ratios_to_fastest(cases))
    results = {name: figures.pop(name) for name in _RESULT}
    axes = _differing_axes(cases)
    columns = [*_names(cases, axes), *_figures(cases, results), _trials(cases), _status(cases)]
    notes = [*_shared(cases), *(figure.legend for figure in results.values() if figure.legend)]
    if len(axes) > _MOST_AXES:
        notes.append(f"{len(axes) - _MOST_AXES:,} of {len(axes):,} axes have no column.")
    if len(cases) > _MOST_COMMANDS:
        notes.append(
            f"The commands that repeat a case are left out, since there are more than {_MOST_COMMANDS:,} cases: "
            "a report of fewer files has them."
        )
    elif commands := commands_of(cases):
        columns.append(_commands(cases, commands))
        notes.append(NOT_RECORDED)
    columns += _figures(cases, figures)
    table = DataTable(
        caption=count(len(cases), "case"),
        columns=tuple(column.heading for column in columns),
        rows=tuple(zip(*(column.cells for column in columns), strict=True)),
        numbers=frozenset(index for index, column in enumerate(columns) if column.is_number),
        is_filterable=True,
    )
    return Section("cases", "Every case", tables=(table,), notes=tuple(notes))


def _differing_axes(cases: Sequence[CaseResult]) -> list[str]:
    """Return the axes that tell cases apart."""
    shared = shared_axes(cases, never=_NEVER_SHARED)
    return [name for name in dict.fromkeys(name for case in cases for name in case.axes) if name not in shared]


def _names(cases: Sequence[CaseResult], axes: Sequence[str]) -> list[_Column]:
    """Return a column for each axis, up to ``_MOST_AXES``; that of the ids, if these do not tell all cases apart."""
    columns = [
        _Column(
            heading=_spelled(name),
            cells=[_axis(case.axes.get(name)) for case in cases],
            is_number=all(type(case.axes.get(name)) in (int, type(None)) for case in cases),
        )
        for name in axes[:_MOST_AXES]
    ]
    if len(axes) > _MOST_AXES or not all(case.axes for case in cases):
        columns.insert(0, _Column("case", [Cell(case.id) for case in cases], is_number=False))
    if any(case.environment != DEFAULT_ENVIRONMENT for case in cases):
        columns.append(_Column("environment", [Cell(case.environment) for case in cases], is_number=False))
    return [column for column in columns if not column.is_empty]


def _spelled(name: str) -> str:
    return name.replace("_", " ")


def _axis(value: Any) -> Cell:
    return Cell("" if value is None else str(value), value if type(value) is int else None)


def _shared(cases: Sequence[CaseResult]) -> list[str]:
    """Return the sentence that names what all rows have in common; none if that is nothing."""
    shared = {name: value for name, value in shared_axes(cases, never=_NEVER_SHARED).items() if value is not None}
    return [f"all rows: {', '.join(f'{_spelled(name)} {value}' for name, value in shared.items())}"] if shared else []


def _figures(cases: Sequence[CaseResult], figures: Mapping[str, Figure]) -> list[_Column]:
    """Return the columns of the figures that the table of a terminal has."""
    columns = [
        _Column(" ".join(figure.heading.split()), [_figure(figure, case) for case in cases])
        for figure in figures.values()
        if figure.is_usual
    ]
    return [column for column in columns if not column.is_empty]


def _figure(figure: Figure, case: CaseResult) -> Cell:
    """Return the figure with its value, which is last in what sorts it, negative where larger ones come first."""
    order = figure.order(case)
    return Cell(figure.show(case), None if order is None else abs(order[-1]))


def _trials(cases: Sequence[CaseResult]) -> _Column:
    return _Column("trials", [Cell(str(len(case.measured)), len(case.measured)) for case in cases])


def _status(cases: Sequence[CaseResult]) -> _Column:
    return _Column("status", [Cell(status_of(case).plain) for case in cases], is_number=False)


def _commands(cases: Sequence[CaseResult], commands: Mapping[tuple[str, str], str]) -> _Column:
    cells = [
        Cell("command", command=commands[case.key]) if case.key in commands else Cell("not known") for case in cases
    ]
    return _Column("repeat", cells, is_number=False)
