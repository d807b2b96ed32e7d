"""pytest-throughput compare: judge the runs of one side by those of another."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from pytest_throughput.commands.answer import Answer
from pytest_throughput.commands.judging import add_items_param, add_rules, judge

if TYPE_CHECKING:
    from pytest_throughput.gate.comparison import Comparison

__all__ = ["add", "run"]


def add(parsers: Any) -> None:
    """Add the command to argparse's subparsers."""
    parser = parsers.add_parser("compare", help="judge runs by other runs", description=__doc__)
    for side, what in (("base", "judge by"), ("head", "judge")):
        about = f"The result files of the runs to {what}; RUN.json#ENVIRONMENT where a file has two environments."
        parser.add_argument(f"--{side}", nargs="+", required=True, metavar="RUN.json", help=about)
    parser.add_argument(
        "--paired",
        action="store_true",
        help="The runs were taken in turn (base head head base): compare the first of base with the first of head, "
        "and so on. Two environments of one file are compared in pairs of trials anyway. Default: off.",
    )
    add_rules(parser)
    add_items_param(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> Answer:
    """Return the verdicts. Raise Unreadable, and ValueError for runs that do not go together."""
    return judge(arguments, lambda: _compare(arguments))


def _compare(arguments: argparse.Namespace) -> Comparison:
    from pytest_throughput.gate.comparison import between
    from pytest_throughput.gate.from_results import given_run

    base, head = (
        [given_run(file, arguments.items_param) for file in side] for side in (arguments.base, arguments.head)
    )
    return between(base, head, paired=arguments.paired)
