"""The history of a baseline in words and as tables, for every form of its output."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

from pytest_throughput.gate.history import CaseHistory, History, LevelChange, Machine, Run
from pytest_throughput.gate.wording import bounded, wording_of
from pytest_throughput.report.charts.chart import Cell, DataTable
from pytest_throughput.report.combined import processors_of
from pytest_throughput.results.model import RATE
from pytest_throughput.text import count, printable, significant

__all__ = ["case_name", "heading_of", "in_words", "notes_of", "summary", "tables_of", "unit_of"]

_MOST_VERSIONS = 5
_LONGEST_NAME = 200


def summary(history: History) -> str:
    """Return how much there is, as ``6 cases in 23 accepted runs: 2 change points (1 wanted, 1 worse)``."""
    changes = [change for case in history.cases for change in case.changes]
    kinds = Counter("wanted" if change.is_wanted else "worse" if change.size < 0 else "better" for change in changes)
    of_kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))
    found = f"{count(len(changes), 'change point')} ({of_kinds})" if changes else "no change point"
    runs = sum(len(machine.runs) for machine in history.machines)
    return f"{count(len({case.id for case in history.cases}), 'case')} in {count(runs, 'accepted run')}: {found}"


def heading_of(machine: Machine) -> str:
    """Return the hardware, the machine and its runs in words."""
    known = f", machine {machine.id}" if machine.id is not None else ""
    name = printable(f"{processors_of(machine.fingerprint)}{known}", _LONGEST_NAME)
    first, last = machine.runs[0], machine.runs[-1]
    return f"{name}: {count(len(machine.runs), 'run')} from {_day(first)} to {_day(last)}"


def notes_of(machine: Machine) -> list[str]:
    """Return warnings about the change points of a machine: none unless its runs are correlated."""
    if machine.correlation is None:
        return []
    return [
        f"Runs resemble the next ones (correlation {machine.correlation:.2f}), as on a machine that is slow for days, "
        "which looks like changes: some of these change points may be none. An anchor removes most of this."
    ]


def case_name(case: CaseHistory) -> str:
    """Return the id, and what differs from the latest runs of the case."""
    differs = f" (other {' and '.join(case.differs)})" if case.differs else ""
    return printable(f"{case.id}{differs}", _LONGEST_NAME)


def in_words(case: CaseHistory, change: LevelChange) -> str:
    """Return a change in words, such as ``5.2 % slower, wanted``."""
    words = wording_of(None if case.anchor is not None else case.metric)
    return f"{words.change(change.size)}{', wanted' if change.is_wanted else ''}"


def unit_of(case: CaseHistory) -> str:
    """Return the unit in which changes are looked for."""
    if case.anchor is not None:
        return "speed ÷ anchor"
    return RATE.replace("_", " ") if case.metric is None else printable(case.metric.unit or case.metric.name)


def tables_of(machine: Machine) -> list[DataTable]:
    """Return the change points, the cases, and the runs before which something changed; without empty tables."""
    changes = DataTable(
        "Change points",
        ("change", "case", "speed, after ÷ before", "first run after it", "started", "software", "note"),
        tuple(_change_row(case, change) for case in machine.cases for change in case.changes),
        frozenset({2, 3}),
    )
    cases = DataTable(
        "Cases",
        ("case", "runs", "first", "latest", "unit", "÷ anchor", "change points"),
        tuple(map(_case_row, machine.cases)),
        frozenset({1, 2, 3, 5, 6}),
    )
    runs = DataTable(
        "Runs with other software than the run before, or with a note",
        ("run", "started", "software", "note"),
        tuple(_run_row(run) for run in machine.runs if run.software or run.note),
        frozenset({0}),
    )
    return [_without_empty_columns(table) for table in (changes, cases, runs) if table.rows]


def _change_row(case: CaseHistory, change: LevelChange) -> tuple[Cell, ...]:
    run = change.first.run
    size, low, high = (math.exp(bounded(each)) for each in (change.size, change.low, change.high))
    return (
        Cell(in_words(case, change), change.size),
        Cell(case_name(case)),
        Cell(f"{size:.3f} ({low:.3f} to {high:.3f})", size),
        Cell(str(run.number), run.number),
        Cell(_minute(run)),
        Cell(_software(run.software)),
        Cell(change.note),
    )


def _case_row(case: CaseHistory) -> tuple[Cell, ...]:
    first, latest = case.runs[0], case.runs[-1]
    ratio = None if latest.ratio is None else latest.ratio.value
    return (
        Cell(case_name(case)),
        Cell(str(len(case.runs)), len(case.runs)),
        *(Cell(significant(one.value.value), one.value.value) for one in (first, latest)),
        Cell("" if case.metric is None else case.metric.unit),
        Cell("" if ratio is None else significant(ratio), ratio),
        Cell(str(len(case.changes)), len(case.changes)) if case.is_tested else Cell("too few runs"),
    )


def _run_row(run: Run) -> tuple[Cell, ...]:
    return (Cell(str(run.number), run.number), Cell(_minute(run)), Cell(_software(run.software)), Cell(run.note))


def _without_empty_columns(table: DataTable) -> DataTable:
    there = [index for index in range(len(table.columns)) if any(row[index].text for row in table.rows)]
    return DataTable(
        table.caption,
        tuple(table.columns[index] for index in there),
        tuple(tuple(row[index] for index in there) for row in table.rows),
        frozenset(place for place, index in enumerate(there) if index in table.numbers),
    )


def _software(changes: Mapping[str, tuple[str, str]]) -> str:
    """Return the versions that changed, as ``torch 2.12 → 2.13``."""
    named = [f"{name} {before} → {after}" for name, (before, after) in changes.items()]
    more = [f"{len(named) - _MOST_VERSIONS} more"] if len(named) > _MOST_VERSIONS else []
    return ", ".join([*named[:_MOST_VERSIONS], *more])


def _day(run: Run) -> str:
    return run.started_at[:10]


def _minute(run: Run) -> str:
    return run.started_at[:16].replace("T", " ")
