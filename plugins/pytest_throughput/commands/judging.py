"""The common part of the commands that judge: their options, and the printing of verdicts."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_throughput.commands.answer import Answer
from pytest_throughput.gate.rules import Rules
from pytest_throughput.gate.verdict import Incomparable, Judgement, nothing_comparable
from pytest_throughput.options.gate_options import BASELINE, FAIL_ON, FALSE_ALARM_RATE, JUDGE, THRESHOLD, THRESHOLDS
from pytest_throughput.options.option import Option
from pytest_throughput.options.thresholds_file import project_thresholds

if TYPE_CHECKING:
    from pytest_throughput.gate.comparison import Comparison

__all__ = ["RULES", "add_baseline", "add_files", "add_items_param", "add_rules", "judge", "judgement_of"]

_FORMAT = Option(
    name="format",
    choices=("table", "json", "markdown"),
    default="table",
    help="How the verdicts are printed: a table for a terminal, JSON for programs, Markdown for a pull request.",
)
RULES = (JUDGE, THRESHOLD, THRESHOLDS, FALSE_ALARM_RATE)
"""The options that say how runs are judged."""
_ITEMS_PARAM = Option(
    name="items-param",
    metavar="NAME",
    default_help="none, for calls per second",
    help="For a plain pytest-benchmark JSON: the parameter or extra_info that says how many items one call works "
    "through, for items per second.",
)


def add_files(parser: argparse.ArgumentParser) -> None:
    """Add the result files, of which there is at least one."""
    about = "A result file; RUN.json#ENVIRONMENT where it has two environments."
    parser.add_argument("files", nargs="+", metavar="RUN.json", help=about)


def add_baseline(parser: argparse.ArgumentParser) -> None:
    """Add ``--baseline``, which must be given."""
    BASELINE.add_to(parser, required=True)


def add_items_param(parser: argparse.ArgumentParser) -> None:
    """Add ``--items-param``."""
    _ITEMS_PARAM.add_to(parser)


def add_rules(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how to judge and how to print the verdicts."""
    for option in (*RULES, FAIL_ON, _FORMAT):
        option.add_to(parser)


def judgement_of(
    arguments: argparse.Namespace,
    compare: Callable[[], Comparison],
    fail_on: Collection[str],
    *,
    looks_for_trends: bool = False,
) -> Judgement:
    """Judge a comparison by the options of ``RULES``.

    Raise ValueError for runs that do not go together, and for thresholds in pyproject.toml that cannot be read.
    """
    thresholds = arguments.thresholds or project_thresholds(Path())
    rules = Rules(arguments.threshold, arguments.false_alarm_rate, arguments.judge or (), thresholds)
    try:
        comparison = compare()
        judgement = comparison.judgement(comparison.verdicts(rules), fail_on, rules)
        return comparison.with_trends(judgement, rules) if looks_for_trends else judgement
    except Incomparable as error:
        return nothing_comparable(str(error))


def judge(
    arguments: argparse.Namespace, compare: Callable[[], Comparison], *, looks_for_trends: bool = False
) -> Answer:
    """Judge a comparison, and return the verdicts in the format of ``--format``. Raise ValueError: see above."""
    # Imported here because --help does not need these modules, which take long to import.
    from pytest_throughput.report import verdict_table as report
    from pytest_throughput.report.console import standard_output

    judgement = judgement_of(arguments, compare, arguments.fail_on, looks_for_trends=looks_for_trends)
    if arguments.format == "json":
        text = report.as_json(judgement)
    elif arguments.format == "markdown":
        text = report.as_markdown(judgement)
    else:
        width, colour = standard_output()
        text = report.as_table(judgement, width=width, colour=colour)
    return Answer(text, judgement.exit_status)
