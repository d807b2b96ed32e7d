"""pytest-throughput accept: keep runs that are good, for later ones to be judged by."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pytest_throughput.commands.answer import Answer
from pytest_throughput.commands.judging import add_baseline, add_items_param
from pytest_throughput.exit_code import ExitCode
from pytest_throughput.gate.baseline_store import Store, StoreError, dated_in_the_future
from pytest_throughput.gate.from_results import GivenRun, given_run
from pytest_throughput.gate.rules import FEWEST_UNITS
from pytest_throughput.gate.store_format import decode, encode
from pytest_throughput.results.untrusted_json import Unreadable
from pytest_throughput.text import printable

__all__ = ["add", "run"]

_KEEP_HELP = "of each hardware, the latest N runs; those that are accepted now stay in any case; default all"


def add(parsers: Any) -> None:
    """Add the command to those of argparse."""
    parser = parsers.add_parser("accept", help="keep runs to judge later ones by", description=__doc__)
    parser.add_argument("files", nargs="+", metavar="RUN.json", help="a result file, or RUN.json#ENVIRONMENT")
    add_baseline(parser)
    parser.add_argument("--keep", type=_positive, metavar="N", help=_KEEP_HELP)
    add_items_param(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> Answer:
    """Look at all runs before one is accepted. Raises Unreadable, StoreError, and ValueError."""
    given = [given_run(file, arguments.items_param) for file in arguments.files]
    for one in given:
        _check(one)
    store = Store(arguments.baseline)
    lines = []
    accepted = []
    try:
        for one in given:
            accepted.append(store.accept(one.run))
            measured = sum(1 for case in one.run.cases.values() if case.trials)
            lines.append(f"accepted {one.name}, {measured} cases with figures: {printable(str(accepted[-1]))}")
            if one.implausible:
                lines.append(
                    f"  {len(one.implausible)} of them are implausible, such as {printable(one.implausible[0])}"
                )
        if arguments.keep is not None:
            store.prune(accepted, arguments.keep)
        lines += _warnings(accepted)
        baseline = store.read(given[-1].run.fingerprint)
    except StoreError as error:
        return Answer("\n".join(lines), ExitCode.NOT_WRITTEN, f"pytest-throughput: {printable(str(error))}")
    left = FEWEST_UNITS - len(baseline.runs)
    more = f"; verdicts need {left} more" if left > 0 else ""
    lines.append(f"{len(baseline.runs)} accepted for this hardware{more}")
    return Answer("\n".join(lines))


def _warnings(accepted: Sequence[Path]) -> list[str]:
    """Name the runs of the future: they count as the latest until their day has come."""
    early = sorted({path for folder in {path.parent for path in accepted} for path in dated_in_the_future(folder)})
    if not early:
        return []
    which = f"{len(early)} accepted {'run is' if len(early) == 1 else 'runs are'} dated in the future"
    return [
        f"warning: {which}, such as {printable(str(early[-1]))}: --keep and the gate take it for the latest; "
        "set the clock of the machine that measured it right, remove the file, and accept the run measured anew"
    ]


def _positive(text: str) -> int:
    if re.fullmatch(r"0*[1-9][0-9]{0,17}", text) is None:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, of at most 18 digits, got {text!r}")
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
    try:
        decode(encode(one.run))
    except ValueError as error:  # It would be left out of every baseline.
        raise ValueError(f"{one.name}: cannot be kept: {error}") from None
