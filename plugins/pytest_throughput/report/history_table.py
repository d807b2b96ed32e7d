"""Format the history of a baseline as tables for a terminal, or as Markdown."""

from __future__ import annotations

from collections.abc import Callable

from rich.table import Table
from rich.text import Text

from pytest_throughput.gate.change_points import FEWEST_VALUES
from pytest_throughput.gate.history import History
from pytest_throughput.report.charts.chart import DataTable
from pytest_throughput.report.console import lines_of
from pytest_throughput.report.history_rows import heading_of, notes_of, summary, tables_of
from pytest_throughput.report.markdown_text import escaped, table_lines
from pytest_throughput.text import count, printable

__all__ = ["as_markdown", "as_table"]

_MOST_ROWS = 100


def as_table(history: History, *, width: int | None = None, colour: bool = False) -> str:
    """Return the history for a terminal of ``width`` columns, or as wide as necessary if it is None."""
    lines = [summary(history)]
    for machine in history.machines:
        lines += ["", heading_of(machine)]
        for table in tables_of(machine):
            lines += ["", *_lines(table, width, colour), *_left_out(table)]
        lines += [line for note in notes_of(machine) for line in ("", note)]
    return "\n".join([*lines, *_notes(history, printable)])


def as_markdown(history: History) -> str:
    """Return the history for a comment or a step summary: no text in it mentions, links or formats anything."""
    lines = [f"### Throughput history: {summary(history)}"]
    for machine in history.machines:
        lines += ["", f"**{escaped(heading_of(machine))}**"]
        for table in tables_of(machine):
            rows = [[escaped(cell.text) for cell in row] for row in table.rows[:_MOST_ROWS]]
            lines += ["", *table_lines(table.columns, rows), *_left_out(table)]
        lines += [line for note in notes_of(machine) for line in ("", note)]
    notes = _notes(history, escaped)
    return "\n".join([*lines, *([""] if notes else []), *(f"- {note}" for note in notes)])


def _lines(table: DataTable, width: int | None, colour: bool) -> list[str]:
    shown = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    for index, column in enumerate(table.columns):
        shown.add_column(column, overflow="fold", justify="right" if index in table.numbers else "left")
    for row in table.rows[:_MOST_ROWS]:
        shown.add_row(*(Text(printable(cell.text)) for cell in row))
    return lines_of(shown, width, colour)


def _left_out(table: DataTable) -> list[str]:
    left = len(table.rows) - _MOST_ROWS
    return ["", f"and {left} more; --format json has all"] if left > 0 else []


def _notes(history: History, shown: Callable[[str], str]) -> list[str]:
    """Return what was not tested, and which files were left out."""
    untested = sum(not case.is_tested for case in history.cases)
    few = [f"too few runs to show a change, which takes {FEWEST_VALUES}: {count(untested, 'case')}"] if untested else []
    return [*few, *(f"left out: {shown(path)}: {shown(why)}" for path, why in history.damaged)]
