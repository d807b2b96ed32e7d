"""pytest-throughput accept: add runs to a baseline."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from pytest_throughput.commands.answer import Answer
from pytest_throughput.commands.judging import add_baseline, add_files, add_items_param
from pytest_throughput.exit_code import ExitCode
from pytest_throughput.gate.baseline_store import Store, StoredRun, StoreError
from pytest_throughput.gate.from_results import GivenRun, given_run
from pytest_throughput.gate.rules import FEWEST_UNITS
from pytest_throughput.gate.store_format import LONGEST_NOTE, decode, encode
from pytest_throughput.options.option import Option
from pytest_throughput.options.readers import read_whole_number
from pytest_throughput.results.untrusted_json import Unreadable
from pytest_throughput.text import printable

__all__ = ["add", "run"]

_KEEP = Option(
    name="keep",
    metavar="N",
    read=read_whole_number(1),
    default_help="all",
    help="The number of latest runs to keep for each hardware; the runs accepted now are always kept.",
)


def read_note(text: str) -> str:
    """Return the note, which is empty to remove one. Raise ValueError."""
    note = " ".join(text.split())
    if len(note) > LONGEST_NOTE or not note.isprintable():
        raise ValueError(f"expected at most {LONGEST_NOTE} printable characters, got {printable(repr(text), 80)}")
    return note


_NOTE = Option(
    name="note",
    metavar="TEXT",
    read=read_note,
    help="The intended change since the accepted run before, such as a move to bf16. `history` marks a change of the "
    "speed there as wanted, and `gate --trend` does not count it as a drift. To add or replace a note, accept the run "
    "again; an empty note removes it, and without --note the run keeps its note.",
)


def add(parsers: Any) -> None:
    """Add the command to argparse's subparsers."""
    parser = parsers.add_parser("accept", help="keep runs to judge later ones by", description=__doc__)
    add_files(parser)
    add_baseline(parser)
    _KEEP.add_to(parser)
    _NOTE.add_to(parser)
    add_items_param(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> Answer:
    """Check all runs, then accept them. Raise Unreadable, StoreError or ValueError."""
    if arguments.note is not None and len(arguments.files) > 1:
        raise ValueError(
            f"--note: expected one run, got {len(arguments.files)}; accept the first run with the change by itself"
        )
    given = [given_run(file, arguments.items_param) for file in arguments.files]
    for one in given:
        _check(one)
    store = Store(arguments.baseline)
    lines = []
    accepted = []
    try:
        for one in given:
            accepted.append(store.accept(one.run, arguments.note))
            measured = sum(1 for case in one.run.cases.values() if case.trials)
            lines.append(f"accepted {one.name}, {measured} cases with figures: {printable(str(accepted[-1]))}")
            if one.implausible:
                lines.append(
                    f"  {len(one.implausible)} of them are implausible, such as {printable(one.implausible[0])}"
                )
        if arguments.keep is not None:
            store.prune(accepted, arguments.keep)
        lines += _warnings(store, accepted)
        baseline = store.read(given[-1].run.fingerprint)
    except StoreError as error:
        return Answer("\n".join(lines), ExitCode.NOT_WRITTEN, f"pytest-throughput: {printable(str(error))}")
    left = FEWEST_UNITS - len(baseline.runs)
    more = f"; verdicts need {left} more" if left > 0 else ""
    lines.append(f"{len(baseline.runs)} accepted for this hardware{more}")
    return Answer("\n".join(lines))


def _warnings(store: Store, accepted: Sequence[StoredRun]) -> list[str]:
    """Return a warning that names runs dated in the future, which count as the latest until that date."""
    early = [run for key in sorted({one.hardware for one in accepted}) for run in store.dated_in_the_future(key)]
    if not early:
        return []
    which = f"{len(early)} accepted {'run is' if len(early) == 1 else 'runs are'} dated in the future"
    return [
        f"warning: {which}, such as {printable(str(early[-1]))}: --keep and the gate take it for the latest; "
        "set the clock of the machine that measured it right, remove the file, and accept the run measured anew"
    ]


def _check(one: GivenRun) -> None:
    """Raise Unreadable or ValueError for a run that cannot serve as a baseline."""
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
    except ValueError as error:  # The gate would reject the stored file.
        raise ValueError(f"{one.name}: cannot be kept: {error}") from None
