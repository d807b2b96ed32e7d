"""pytest-throughput export: write runs in the format of another program."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_throughput.commands.answer import Answer, note
from pytest_throughput.commands.given_runs import given_runs, judgements_of
from pytest_throughput.commands.judging import RULES, add_files, add_items_param
from pytest_throughput.commands.output_file import write_output
from pytest_throughput.options.gate_options import BASELINE
from pytest_throughput.options.option import Option
from pytest_throughput.report.exports.formats import BINARY, FORMATS, JUDGED, exported

if TYPE_CHECKING:
    from pytest_throughput.gate.verdict import Judgement
    from pytest_throughput.results.model import RunResult

__all__ = ["add", "run"]

_FORMAT = Option(
    name="format",
    choices=FORMATS,
    help="The format; docs/export.md says what each is for. parquet needs -o, and pytest-throughput[export].",
)


def add(parsers: Any) -> None:
    """Add the command to argparse's subparsers."""
    parser = parsers.add_parser("export", help="write runs for other programs", description=__doc__)
    add_files(parser)
    _FORMAT.add_to(parser, required=True)
    parser.add_argument(
        "-o",
        dest="output",
        type=Path,
        metavar="FILE",
        help="The file to write, as a whole or not at all. Default: none, for standard output.",
    )
    BASELINE.add_to(parser)
    for option in RULES:
        option.add_to(parser)
    add_items_param(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> Answer:
    """Return the export, or write it to a file.

    Raise Unreadable, StoreError, NotWritten, and ValueError for bad options.
    """
    if arguments.format in BINARY and arguments.output is None:
        raise ValueError(f"--format {arguments.format} is no text; give a file for it by -o FILE")
    if arguments.baseline is not None and arguments.format not in JUDGED:
        formats = " and ".join(JUDGED)
        raise ValueError(f"--baseline goes with the formats that show verdicts, {formats}; got {arguments.format}")
    from pytest_throughput.report.combined import combined

    runs = given_runs(arguments)
    result = combined(list(runs.values()))
    found = exported(arguments.format, result, _judgements(arguments, runs, result))
    for each in found.notes:
        note(each)
    if arguments.output is None:
        return Answer(found.content.decode().rstrip("\r\n"))
    write_output(arguments.output, found.content)
    return Answer()


def _judgements(arguments: argparse.Namespace, runs: dict[str, RunResult], result: RunResult) -> list[Judgement]:
    """Return the judgements by the baseline; without one, those that the runs have stored."""
    if arguments.format not in JUDGED:
        return []
    if arguments.baseline is not None:
        return judgements_of(arguments, runs)
    from pytest_throughput.gate.stored_judgement import stored_judgement

    return [stored_judgement(stored) for stored in result.verdicts]
