"""pytest-throughput show: the table of a run, finished or not, or of any pytest-benchmark JSON."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from pytest_throughput.commands.answer import Answer
from pytest_throughput.commands.judging import add_items_param
from pytest_throughput.options.table_options import COLUMNS_OPTION, SORT_OPTION
from pytest_throughput.report.console import standard_output
from pytest_throughput.report.kernels import render_operators
from pytest_throughput.report.overview import overview
from pytest_throughput.results.file_format import MOST_CASES
from pytest_throughput.results.journal_reader import read_journal
from pytest_throughput.results.ledger import Ledger
from pytest_throughput.results.model import RunResult
from pytest_throughput.results.reader import read_run
from pytest_throughput.results.untrusted_json import Unreadable
from pytest_throughput.text import printable

__all__ = ["add", "run"]

_MOST_OF_A_COMMAND = 100_000
"""The most characters of a command, which a user may want to repeat with every test that it names."""


def add(parsers: Any) -> None:
    """Add the command to those of argparse."""
    parser = parsers.add_parser("show", help="print the table of a run", description=__doc__)
    parser.add_argument("file", type=Path, metavar="RUN.json", help="a result file, or RUN.json.journal.jsonl")
    parser.add_argument(
        "--kernels",
        action="store_true",
        help="Print the longest operators, or kernels of a GPU, of each case that --throughput-profile has profiled. "
        "Default: off.",
    )
    for option in (SORT_OPTION, COLUMNS_OPTION):
        option.add_to(parser)
    add_items_param(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> Answer:
    """Return the table. Raise Unreadable."""
    lines_of = _operators if arguments.kernels else partial(_lines, arguments)
    if arguments.file.suffix == ".jsonl":
        lines = _journal(arguments.file, lines_of)
    else:
        lines = _result(arguments.file, arguments.items_param, lines_of)
    return Answer("\n".join(lines))


def _journal(file: Path, lines_of: Callable[[RunResult], list[str]]) -> list[str]:
    journal = read_journal(file)
    ledger = Ledger()
    for ended in journal.trials:
        ledger.ask(*ended.key, ended.axes)
        ledger.settle(ended)
    result = ledger.result(fingerprint=journal.heading.fingerprint)
    if len(result.cases) > MOST_CASES:
        raise Unreadable(file, f"has trials of {len(result.cases):,} cases; expected at most {MOST_CASES:,}")
    lines = lines_of(result)
    measured = {each.key for each in journal.trials if each.outcome.status == "ok"}
    started = {each.key: each for each in journal.started if each.key not in measured}
    lines += [f"{printable(each.case_id)} has begun: {printable(each.part.text)}" for each in started.values()]
    lines += [damage] if (damage := journal.damage()) is not None else []
    how = f"to go on, repeat it with --throughput-resume={printable(str(file))}; its arguments were:"
    return [
        *lines,
        f"not complete: the journal of a run that was interrupted; {how}",
        *_command(journal.heading.command),
    ]


def _command(command: tuple[str, ...]) -> list[str]:
    return [f"    {printable(' '.join(command), most=_MOST_OF_A_COMMAND)}"]


def _result(file: Path, items_param: str | None, lines_of: Callable[[RunResult], list[str]]) -> list[str]:
    result = read_run(file, items_param)
    lines = lines_of(result)
    if not result.complete:
        lines.append("not complete: the run was interrupted, or its budget spent")
    return lines


def _lines(arguments: argparse.Namespace, result: RunResult) -> list[str]:
    width, colour = standard_output()
    return overview(result, width=width, colour=colour, sort=arguments.sort, columns=arguments.columns)


def _operators(result: RunResult) -> list[str]:
    """Return the operators of each profiled case."""
    width, colour = standard_output()
    lines = render_operators(result, width=width, colour=colour)
    return lines or ["no case was profiled: --throughput-profile N profiles N steps of each"]
