"""pytest-throughput gate: judge runs against the accepted ones of the same hardware."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pytest_throughput.commands.answer import Answer
from pytest_throughput.commands.judging import add_baseline, add_files, add_items_param, add_rules, judge
from pytest_throughput.text import printable

if TYPE_CHECKING:
    from pytest_throughput.gate.comparison import Comparison

__all__ = ["add", "against_baseline", "run"]


def add(parsers: Any) -> None:
    """Add the command to argparse's subparsers."""
    parser = parsers.add_parser("gate", help="judge runs against accepted ones", description=__doc__)
    add_files(parser)
    add_baseline(parser)
    add_rules(parser)
    parser.add_argument(
        "--trend",
        action="store_true",
        help="Warn of cases that get slower from run to run over the accepted runs and this one. The exit status stays "
        "the same. Default: off.",
    )
    add_items_param(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> Answer:
    """Return the verdicts. Raise Unreadable, StoreError, and ValueError for runs that do not go together."""
    return judge(arguments, lambda: against_baseline(arguments, arguments.files), looks_for_trends=arguments.trend)


def against_baseline(arguments: argparse.Namespace, given: Sequence[str]) -> Comparison:
    """Return the comparison of the given files with the runs that ``--baseline`` names."""
    from pytest_throughput.gate.comparison import with_baseline
    from pytest_throughput.gate.from_results import given_run

    files = " ".join(shlex.quote(printable(file)) for file in given)
    how = f"pytest-throughput accept {files} --baseline {shlex.quote(printable(str(arguments.baseline)))}"
    return with_baseline([given_run(file, arguments.items_param) for file in given], arguments.baseline, how)
