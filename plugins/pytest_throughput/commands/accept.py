"""pytest-throughput accept: keeps runs that are good, for later ones to be judged by."""

from __future__ import annotations

import argparse
from typing import Any

from pytest_throughput.commands.judging import add_baseline, add_items_param
from pytest_throughput.regression.from_results import GivenRun, given_run
from pytest_throughput.regression.store import Store
from pytest_throughput.regression.verdicts import FEWEST_UNITS
from pytest_throughput.throughput.text import printable
from pytest_throughput.throughput.untrusted import Unreadable

__all__ = ["add", "run"]


def add(parsers: Any) -> None:
    """Adds the command to those of argparse."""
    parser = parsers.add_parser("accept", help="keep runs to judge later ones by", description=__doc__)
    parser.add_argument("files", nargs="+", metavar="RUN.json", help="a result file, or RUN.json#ENVIRONMENT")
    add_baseline(parser)
    parser.add_argument("--keep", type=_positive, metavar="N", help="of each hardware, the latest N runs; default all")
    add_items_param(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Looks at all before it accepts one. Raises Unreadable, StoreError, and ValueError."""
    given = [given_run(file, arguments.items_param) for file in arguments.files]
    for one in given:
        _check(one)
    store = Store(arguments.baseline)
    for one in given:
        path = store.accept(one.run, keep=arguments.keep)
        measured = sum(1 for case in one.run.cases.values() if case.trials)
        print(f"accepted {one.name}, {measured} cases with figures: {printable(str(path))}")
        if one.implausible:
            print(f"  {len(one.implausible)} of them are implausible, such as {printable(one.implausible[0])}")
    baseline = store.read(given[-1].run.fingerprint)
    left = FEWEST_UNITS - len(baseline.runs)
    more = f"; verdicts need {left} more" if left > 0 else ""
    print(f"{len(baseline.runs)} accepted for this hardware{more}")
    return 0


def _positive(text: str) -> int:
    if not (text.isdecimal() and text.isascii() and int(text) >= 1):
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)


def _check(one: GivenRun) -> None:
    """What would be judged by for months has to be whole."""
    if not one.complete:
        assert one.file is not None
        raise Unreadable(
            one.file,
            "is not complete: the run was interrupted, or its budget spent; go on with it by --throughput-resume, "
            "and accept what that gives",
        )
    if not any(case.trials for case in one.run.cases.values()):
        raise ValueError(f"{one.name}: has no figures; expected at least one case that was measured")
