"""Format the history of a baseline as tables for a terminal, or as Markdown."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from pytest_throughput.gate.change_points import FEWEST_VALUES
from pytest_throughput.gate.history import CaseHistory, History, LevelChange, Machine
from pytest_throughput.gate.verdict import Changes
from pytest_throughput.gate.wording import bounded, wording_of
from pytest_throughput.report.console import lines_of
from pytest_throughput.report.hardware import hardware_of
from pytest_throughput.report.verdict_table import escaped
from pytest_throughput.results.model import RATE
from pytest_throughput.text import count, printable, significant

__all__ = ["as_markdown", "as_table", "case_name", "in_words", "machine_name", "ratio", "software", "summary", "unit"]

_MOST_ROWS = 100
_MOST_CHANGES = 5
_LONGEST_NAME = 200


def as_table(history: History, *, width: int | None = None, colour: bool = False) -> str:
    """Return the history for a terminal of ``width`` columns, or as wide as necessary if it is None."""
    lines = [summary(history)]
    for part in _parts(history):
        lines += ["", part.heading]
        for table in part.tables:
            shown = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
            for column in table.columns:
                shown.add_column(column, overflow="fold")
            for row in table.rows[:_MOST_ROWS]:
                shown.add_row(*(Text(printable(cell)) for cell in row))
            lines += ["", *lines_of(shown, width, colour), *_left_out(table)]
    return "\n".join([*lines, *_notes(history, printable)])


def as_markdown(history: History) -> str:
    """Return the history for a comment or a step summary: no text in it mentions, links or formats anything."""
    lines = [f"### Throughput history: {summary(history)}"]
    for part in _parts(history):
        lines += ["", f"**{escaped(part.heading)}**"]
        for table in part.tables:
            lines += ["", "| " + " | ".join(table.columns) + " |", "|" + "---|" * len(table.columns)]
            lines += ["| " + " | ".join(map(escaped, row)) + " |" for row in table.rows[:_MOST_ROWS]]
            lines += _left_out(table)
    notes = _notes(history, escaped)
    return "\n".join([*lines, *([""] if notes else []), *(f"- {note}" for note in notes)])


def summary(history: History) -> str:
    """Return a summary: ``6 cases in 23 accepted runs: 2 change points (1 wanted, 1 worse)``."""
    changes = [change for case in history.cases for change in case.changes]
    counts: dict[str, int] = {}
    for change in changes:
        word = "wanted" if change.is_wanted else "worse" if change.size < 0 else "better"
        counts[word] = counts.get(word, 0) + 1
    runs = sum(len(machine.runs) for machine in history.machines)
    cases = len({case.id for case in history.cases})
    of_kinds = ", ".join(f"{number} {word}" for word, number in sorted(counts.items()))
    found = f"{count(len(changes), 'change point')} ({of_kinds})" if changes else "no change point"
    return f"{count(cases, 'case')} in {count(runs, 'accepted run')}: {found}"


def machine_name(machine: Machine) -> str:
    """Return the hardware and the machine in words."""
    known = f", machine {machine.id}" if machine.id is not None else ""
    return printable(f"{hardware_of(machine.fingerprint)}{known}", _LONGEST_NAME)


def case_name(case: CaseHistory) -> str:
    """Return the id, and what differs from the latest runs of the case."""
    differs = f" (other {' and '.join(case.differs)})" if case.differs else ""
    return printable(f"{case.id}{differs}", _LONGEST_NAME)


def in_words(case: CaseHistory, change: LevelChange) -> str:
    """Return a change in words, such as ``5.2 % slower, wanted``."""
    words = wording_of(None if case.anchor is not None else case.metric)
    return f"{words.change(change.size)}{', wanted' if change.is_wanted else ''}"


def ratio(log_ratio: float) -> str:
    """Return the exponential of a logarithm of a ratio."""
    return f"{math.exp(bounded(log_ratio)):.3f}"


def unit(case: CaseHistory) -> str:
    """Return the unit of the values of a case."""
    return (
        "÷ anchor" if case.anchor is not None else RATE.replace("_", " ") if case.metric is None else case.metric.unit
    )


def software(changes: Changes) -> str:
    """Return the versions that changed, as ``torch 2.12 → 2.13``."""
    named = [f"{name} {before or 'none'} → {after or 'none'}" for name, (before, after) in changes.items()]
    more = [f"{len(named) - _MOST_CHANGES} more"] if len(named) > _MOST_CHANGES else []
    return ", ".join([*named[:_MOST_CHANGES], *more])


@dataclass(frozen=True)
class _Table:
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def without_empty_columns(self) -> _Table:
        there = [index for index in range(len(self.columns)) if any(row[index] for row in self.rows)]
        rows = tuple(tuple(row[index] for index in there) for row in self.rows)
        return _Table(tuple(self.columns[index] for index in there), rows)


@dataclass(frozen=True)
class _Part:
    """What is shown of one machine."""

    heading: str
    tables: tuple[_Table, ...]


def _parts(history: History) -> list[_Part]:
    return [_part(machine) for machine in history.machines if machine.cases]


def _part(machine: Machine) -> _Part:
    first, last = machine.runs[0].started_at[:10], machine.runs[-1].started_at[:10]
    changes = _Table(
        ("change", "case", "speed, after ÷ before", "first run after it", "software", "note"),
        tuple(_change_row(case, change) for case in machine.cases for change in case.changes),
    )
    cases = _Table(
        ("case", "runs", "first", "latest", "unit", "÷ anchor", "changes"), tuple(map(_case_row, machine.cases))
    )
    marks = _Table(
        ("run", "started", "software", "note"),
        tuple(
            (str(run.number), run.started_at[:16], software(run.software), run.note)
            for run in machine.runs
            if run.software or run.note
        ),
    )
    heading = f"{machine_name(machine)}: {count(len(machine.runs), 'run')} from {first} to {last}"
    return _Part(heading, tuple(table.without_empty_columns() for table in (changes, cases, marks) if table.rows))


def _change_row(case: CaseHistory, change: LevelChange) -> tuple[str, ...]:
    run = change.first.run
    return (
        in_words(case, change),
        case_name(case),
        f"{ratio(change.size)} ({ratio(change.low)} to {ratio(change.high)})",
        f"{run.number}: {run.started_at[:16]}",
        software(run.software),
        change.note,
    )


def _case_row(case: CaseHistory) -> tuple[str, ...]:
    first, last = case.runs[0], case.runs[-1]
    changes = str(len(case.changes)) if case.is_tested else "–"
    anchored = "" if last.ratio is None else significant(last.ratio.value)
    values = significant(first.value.value), significant(last.value.value)
    own_unit = "" if case.metric is None else case.metric.unit
    return (case_name(case), str(len(case.runs)), *values, own_unit, anchored, changes)


def _left_out(table: _Table) -> list[str]:
    left = len(table.rows) - _MOST_ROWS
    return ["", f"and {left} more; --format json has all"] if left > 0 else []


def _notes(history: History, shown: Callable[[str], str]) -> list[str]:
    """Return what was not tested and what was left out."""
    untested = [case for case in history.cases if not case.is_tested]
    few = f"too few runs to show a change, which takes {FEWEST_VALUES}: {count(len(untested), 'case')}"
    damaged: Sequence[tuple[str, str]] = history.damaged
    return [*([few] if untested else []), *(f"left out: {shown(path)}: {shown(why)}" for path, why in damaged)]
