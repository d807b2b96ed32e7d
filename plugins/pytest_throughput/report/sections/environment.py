"""The section of environments: the machines, settings and versions of each run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pytest_throughput.gate.from_results import fingerprint_of
from pytest_throughput.report.charts.chart import Cell, DataTable, Section
from pytest_throughput.results.model import RunResult

__all__ = ["section"]

_MOST_COLUMNS = 6
"""The most runs that have a column of their own; more of them share one."""
_MOST_VALUES = 8
"""The most different values of one name that are shown."""
_MACHINE_INFO = ("system", "release", "machine", "python_implementation", "python_version")
"""What pytest-benchmark notes of the machine that may be published: the host's name is left out."""

Values = Iterator[tuple[str, object]]


def section(runs: Mapping[str, RunResult]) -> Section | None:
    """Return the tables of machines, settings and versions with a column for each run, by name; None without runs."""
    columns = {name: [run] for name, run in runs.items()}
    if len(runs) > _MOST_COLUMNS:
        columns = {f"{len(runs)} runs": list(runs.values())}
    tables = [
        _table(caption, columns, values)
        for caption, values in (
            ("Run", _run),
            ("Machine", _machine),
            ("Settings", lambda run: _of_trials(run, "settings")),
            ("Versions", lambda run: _of_trials(run, "versions")),
        )
    ]
    shown = tuple(table for table in tables if table.rows)
    return Section("environment", "Environment, settings, versions", tables=shown) if shown else None


def _table(
    caption: str, columns: Mapping[str, Sequence[RunResult]], values: Callable[[RunResult], Values]
) -> DataTable:
    """Return a table with a row for each name that any run has."""
    found: dict[str, dict[str, dict[str, None]]] = {}
    for column, runs in columns.items():
        for run in runs:
            for name, value in values(run):
                found.setdefault(name, {}).setdefault(column, {})[_text(value)] = None
    rows = tuple(
        (Cell(name), *(Cell(_listed(list(of_runs.get(column, {})))) for column in columns))
        for name, of_runs in found.items()
    )
    return DataTable(caption, ("name", *(columns if len(columns) > 1 else ("value",))), rows)


def _run(run: RunResult) -> Values:
    started = [trial.started_at for case in run.cases for trial in case.trials if trial.started_at is not None]
    if started:
        yield "first trial began", min(started)
        yield "last trial began", max(started)
    if run.written_at is not None:
        yield "written", run.written_at
    yield "complete", run.complete
    yield "cases", len(run.cases)
    yield "trials", sum(len(case.trials) for case in run.cases)
    if run.deselected:
        yield "deselected cases", len(run.deselected)


def _machine(run: RunResult) -> Values:
    yield from _flat(fingerprint_of(run))
    for name in _MACHINE_INFO:
        if run.machine_info.get(name) is not None:
            yield name, run.machine_info[name]


def _of_trials(run: RunResult, name: str) -> Values:
    """Yield the members of a metadata object of all trials."""
    for case in run.cases:
        for values in case.metadata_values(name):
            yield from _flat(values)


def _flat(value: Any, name: str = "") -> Values:
    """Yield the values in nested objects and lists with their names: ``cpu model``, ``gpus 1 name``."""
    if isinstance(value, dict):
        members: Any = value.items()
    elif isinstance(value, list):
        members = enumerate(value, 1)
    else:
        if name and value is not None:
            yield name, value
        return
    for key, each in members:
        yield from _flat(each, f"{name} {key}".strip())


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _listed(values: Sequence[str]) -> str:
    more = len(values) - _MOST_VALUES
    return ", ".join(values[:_MOST_VALUES]) + (f" and {more} more" if more > 0 else "")
