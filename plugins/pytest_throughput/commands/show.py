"""pytest-throughput show: the table of a run, finished or not, or of any pytest-benchmark JSON."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from pytest_throughput.commands.answer import Answer
from pytest_throughput.commands.judging import add_items_param
from pytest_throughput.report import table
from pytest_throughput.report.console import output_columns
from pytest_throughput.results.journal import read_journal
from pytest_throughput.results.model import Ledger
from pytest_throughput.results.plausibility import mark_implausible
from pytest_throughput.results.reader import MOST_CASES, read_run
from pytest_throughput.results.untrusted_json import Unreadable
from pytest_throughput.text import printable

__all__ = ["add", "run"]

_MOST_OF_A_COMMAND = 100_000
"""Characters: it is there to be repeated, with every test that it names."""


def add(parsers: Any) -> None:
    """Adds the command to those of argparse."""
    parser = parsers.add_parser("show", help="print the table of a run", description=__doc__)
    parser.add_argument("file", type=Path, metavar="RUN.json", help="a result file, or RUN.json.journal.jsonl")
    add_items_param(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> Answer:
    """Give the table. Raises Unreadable."""
    if arguments.file.suffix == ".jsonl":
        lines = _journal(arguments.file)
    else:
        lines = _result(arguments.file, arguments.items_param)
    return Answer("\n".join(lines))


def _journal(file: Path) -> list[str]:
    read = read_journal(file)
    ledger = Ledger()
    for entry in read.entries:
        ledger.ask(entry.case_id, entry.environment, entry.record.trial, entry.axes)
        ledger.settle(entry.case_id, entry.environment, entry.record)
    number = sum(1 for _ in ledger)
    if number > MOST_CASES:
        raise Unreadable(file, f"has trials of {number:,} cases; expected at most {MOST_CASES:,}")
    mark_implausible(ledger)
    shown = [table.heading(read.heading.fingerprint, ledger), "", *_table(ledger), *table.notes(ledger)]
    shown += [damage] if (damage := read.damage()) is not None else []
    how = f"to go on, repeat it with --throughput-resume={printable(str(file))}; its arguments were:"
    return [*shown, f"not complete: the journal of a run that was interrupted; {how}", *_command(read.heading.command)]


def _command(command: tuple[str, ...]) -> list[str]:
    return [f"    {printable(' '.join(command), most=_MOST_OF_A_COMMAND)}"]


def _result(file: Path, items_param: str | None) -> list[str]:
    result = read_run(file, items_param)
    if result.is_ours:
        lines = [table.heading(result.fingerprint, result.cases), "", *_table(result.cases)]
    else:
        lines = _table(result.cases, "calls/s" if items_param is None else f"{printable(items_param)}/s")
    lines += table.notes(result.cases)
    if not result.complete:
        lines.append("not complete: the run was interrupted, or its budget spent")
    return lines


def _table(cases: Any, unit: str | None = None) -> list[str]:
    terminal = sys.stdout.isatty()
    width = output_columns(terminal)
    return table.render(cases, width=width, colour=terminal and "NO_COLOR" not in os.environ, unit=unit).splitlines()
