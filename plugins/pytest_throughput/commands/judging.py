"""What the commands that judge have in common: their options, and how a judgement is told."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from pytest_throughput.commands.answer import Answer
from pytest_throughput.gate.rules import Rules
from pytest_throughput.gate.verdict import Incomparable, nothing_comparable
from pytest_throughput.options.argument_types import argparse_type
from pytest_throughput.options.gate_options import (
    FAIL_ON,
    read_baseline,
    read_fail_on,
    read_false_alarm_rate,
    read_threshold,
)

if TYPE_CHECKING:
    from pytest_throughput.gate.comparison import Comparison

__all__ = ["add_baseline", "add_items_param", "add_rules", "tell"]

_FORMATS = ("table", "json", "markdown")


def add_baseline(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--baseline",
        required=True,
        type=argparse_type(read_baseline),
        metavar="DIR",
        help="the folder of accepted runs",
    )


def add_items_param(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--items-param",
        metavar="NAME",
        help="of plain pytest-benchmark JSON: the parameter, or extra_info, that says what a call works through; "
        "without it, calls per second are judged",
    )


def add_rules(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--threshold",
        type=argparse_type(read_threshold),
        metavar="SHARE",
        default=Rules.threshold,
        help="the slowdown that matters, as a share of the seconds per step; default 3%%",
    )
    parser.add_argument(
        "--false-alarm-rate",
        type=argparse_type(read_false_alarm_rate),
        metavar="SHARE",
        default=Rules.false_alarm_rate,
        help="the share of runs that may have a case called regressed although nothing changed; default 1%%",
    )
    parser.add_argument(
        "--fail-on",
        type=argparse_type(read_fail_on),
        metavar="LIST",
        default=FAIL_ON,
        help=f"of regressed (exit status 10), missing, failed (11), inconclusive (13); default {','.join(FAIL_ON)}",
    )
    parser.add_argument("--format", choices=_FORMATS, default="table", help="default table")


def tell(arguments: argparse.Namespace, compare: Callable[[], Comparison]) -> Answer:
    """Judge, and give the verdicts in the format that was asked for.

    Raises ValueError for runs that do not go together.
    """
    # Imported here: whoever asks for --help need not wait for what judges.
    from pytest_throughput.report import verdict_table as report
    from pytest_throughput.report.console import output_columns

    rules = Rules(arguments.threshold, arguments.false_alarm_rate)
    try:
        comparison = compare()
        judgement = comparison.judgement(comparison.verdicts(rules), arguments.fail_on)
    except Incomparable as error:
        judgement = nothing_comparable(str(error))
    if arguments.format == "json":
        text = report.as_json(judgement)
    elif arguments.format == "markdown":
        text = report.as_markdown(judgement)
    else:
        terminal = sys.stdout.isatty()
        width = output_columns(terminal)
        text = report.as_table(judgement, width=width, colour=terminal and "NO_COLOR" not in os.environ)
    return Answer(text, judgement.exit_status)
