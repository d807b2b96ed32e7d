"""pytest-throughput report: one HTML page of runs, with charts, tables, verdicts and commands."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pytest_throughput.commands.answer import Answer
from pytest_throughput.commands.given_runs import given_runs, judgements_of
from pytest_throughput.commands.judging import RULES, add_files, add_items_param
from pytest_throughput.commands.output_file import NotWritten, write_output
from pytest_throughput.exit_code import ExitCode
from pytest_throughput.options.gate_options import BASELINE
from pytest_throughput.options.option import Option
from pytest_throughput.results.model import RunResult
from pytest_throughput.text import count, printable

__all__ = ["add", "run"]

_SVG = Option(
    name="svg",
    metavar="DIR",
    read=Path,
    help="The folder to which every chart is written as SECTION-NUMBER.svg.",
)
_PNG = Option(
    name="png",
    metavar="DIR",
    read=Path,
    help="The folder to which every chart is written as SECTION-NUMBER.png; it needs pytest-throughput[figures].",
)
_KINDS: Sequence[Literal["svg", "png"]] = ("svg", "png")


def add(parsers: Any) -> None:
    """Add the command to argparse's subparsers."""
    parser = parsers.add_parser("report", help="make an HTML page of runs", description=__doc__)
    add_files(parser)
    parser.add_argument(
        "-o", dest="output", type=Path, metavar="FILE.html", help="The page to write. Default: none, for charts alone."
    )
    BASELINE.add_to(parser)
    for option in (*RULES, _SVG, _PNG):
        option.add_to(parser)
    add_items_param(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> Answer:
    """Write the page and the charts. Raise Unreadable, StoreError, and ValueError for options that do not fit."""
    # Imported here because --help does not need these modules, which take long to import.
    from pytest_throughput.report.charts.files import FiguresError, write_charts
    from pytest_throughput.report.html.page import render
    from pytest_throughput.report.run_page import page_of

    folders = {kind: getattr(arguments, kind) for kind in _KINDS if getattr(arguments, kind) is not None}
    if arguments.output is None and not folders:
        raise ValueError("report: nothing to write; expected -o FILE.html, --svg DIR or --png DIR")
    runs = given_runs(arguments)
    judgements = [each.to_json() for each in judgements_of(arguments, runs)]
    page = page_of(_by_short_names(runs), judgements)
    lines = []
    try:
        if arguments.output is not None:
            content = render(page).encode()
            write_output(arguments.output, content)
            lines.append(f"wrote {printable(str(arguments.output))}: {_described(page.sections, len(content))}")
        for kind, folder in folders.items():
            charts = write_charts(page.sections, folder, kind)
            lines.append(f"wrote {count(len(charts), 'chart')} to {printable(str(folder))}")
    except NotWritten as error:
        return _not_written(lines, str(error))
    except FiguresError as error:
        return Answer("\n".join(lines), ExitCode.BAD_USAGE, f"pytest-throughput: {printable(str(error))}")
    except OSError as error:
        why = f"could not write {error.filename or 'a chart'}: {error.strerror}; give a writable folder with space"
        return _not_written(lines, why)
    return Answer("\n".join(lines))


def _by_short_names(runs: Mapping[str, RunResult]) -> Mapping[str, RunResult]:
    """Return the runs by the names of their files without folders, if these differ."""
    names = [os.path.basename(argument) for argument in runs]
    return dict(zip(names, runs.values(), strict=True)) if len({*names}) == len(names) else runs


def _described(sections: Sequence[object], size_bytes: int) -> str:
    return f"{count(len(sections), 'section')}, {size_bytes / 1000:,.0f} kB"


def _not_written(lines: Sequence[str], why: str) -> Answer:
    return Answer("\n".join(lines), ExitCode.NOT_WRITTEN, f"pytest-throughput: {printable(why)}")
