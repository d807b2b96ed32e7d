"""pytest-throughput history: the accepted runs over time, and the change points of each case."""

from __future__ import annotations

import argparse
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pytest_throughput.commands.answer import Answer, note
from pytest_throughput.commands.judging import add_baseline
from pytest_throughput.commands.output_file import write_output
from pytest_throughput.exit_code import ExitCode
from pytest_throughput.options.option import Option
from pytest_throughput.text import printable

__all__ = ["add", "run"]

_CASE = Option(
    name="case",
    metavar="GLOB",
    default_help="all cases",
    help="The cases to show, by a pattern of their ids with *, ? and […], such as 'training-*'.",
)
_FORMAT = Option(
    name="format",
    choices=("table", "json", "markdown"),
    default="table",
    help="How the history is printed: tables for a terminal, JSON for programs, Markdown for a summary.",
)


def add(parsers: Any) -> None:
    """Add the command to argparse's subparsers."""
    parser = parsers.add_parser(
        "history", help="show accepted runs over time, and where their level changed", description=__doc__
    )
    add_baseline(parser)
    _CASE.add_to(parser)
    _FORMAT.add_to(parser)
    parser.add_argument(
        "-o", dest="output", type=Path, metavar="FILE.html", help="Also write a page with charts. Default: none."
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> Answer:
    """Return the history. Raise StoreError, NotWritten, and ValueError where no case matches or ruptures is missing."""
    if find_spec("ruptures") is None:
        raise ValueError("history needs ruptures; pip install 'pytest-throughput[history]'")
    # Imported here because --help does not need these modules, which take long to import.
    from pytest_throughput.gate.baseline_store import Store
    from pytest_throughput.gate.history import history_of
    from pytest_throughput.report import history_json, history_table
    from pytest_throughput.report.console import standard_output

    where, pattern = printable(str(arguments.baseline)), arguments.case
    baselines = Store(arguments.baseline).read_all()
    if not any(baseline.runs for baseline in baselines):
        damaged = [f"left out: {path}: {why}" for baseline in baselines for path, why in baseline.damaged]
        what = "; ".join([f"{where}: no run is accepted; `pytest-throughput accept` accepts runs", *damaged])
        return Answer(status=ExitCode.NOTHING_COMPARABLE, problem=f"pytest-throughput: {printable(what)}")
    history = history_of(baselines, lambda case_id: pattern is None or fnmatchcase(case_id, pattern))
    if pattern is not None and not history.cases:
        raise ValueError(
            f"--case {pattern}: no accepted run has figures of such a case; expected a pattern of case ids"
        )
    if arguments.output is not None:
        from pytest_throughput.report.history_page import page_of
        from pytest_throughput.report.html.page import render

        write_output(arguments.output, render(page_of(history, where)).encode())
        note(f"wrote {printable(str(arguments.output))}")
    if arguments.format == "json":
        return Answer(history_json.as_json(history))
    if arguments.format == "markdown":
        return Answer(history_table.as_markdown(history))
    width, colour = standard_output()
    return Answer(history_table.as_table(history, width=width, colour=colour))
