"""Run the command of a bisection with live pairs of two environments, and read the verdicts of its gate."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from pytest_throughput.commands.ab import paired_options
from pytest_throughput.exit_code import ExitCode
from pytest_throughput.results.untrusted_json import Unreadable, parse_object, read_whole
from pytest_throughput.results.validation import convert
from pytest_throughput.results.writer import MAX_RESULT_BYTES

if TYPE_CHECKING:
    from pytest_throughput.environments.environment import Environment

__all__ = ["FIRST_PAIRS", "FoundVerdict", "NotMeasured", "compare"]

FIRST_PAIRS = 5
"""The pairs of the first look. With at most 40, the looks of the gate are after 5, 10, 20 and 40 pairs."""
_STANDARD_ERROR = 2


class NotMeasured(Exception):
    """Two candidates could not be compared. The text says why, for a sentence."""


class FoundVerdict(Struct, frozen=True):
    """A verdict on a case, as a result file has it."""

    id: str
    verdict: str
    reason: str
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    trials_head: int


class _Verdicts(Struct):
    cases: list[FoundVerdict]


class _Block(Struct):
    verdicts: _Verdicts


class _Results(Struct):
    throughput: _Block


def compare(
    command: Sequence[str], base: Environment, head: Environment, threshold: float, most_pairs: int, results: Path
) -> list[FoundVerdict]:
    """Run the command, which is pytest, and return the verdicts on head against base; ``results`` gets its file.

    An undecided case gets more pairs, at planned looks. Raise NotMeasured where there are no verdicts, and ValueError
    for a command that cannot give any.
    """
    share = f"{100 * threshold:.4f}%"
    thresholds = results.with_name("thresholds.toml")  # In place of those that the project has for single cases.
    thresholds.write_text(f'[thresholds]\n"*" = "{share}"\n', encoding="ascii")
    options = [
        *paired_options(base, head),
        f"--throughput-trials={FIRST_PAIRS}",
        f"--throughput-confirm={most_pairs - FIRST_PAIRS}",
        "--throughput-gate=warn",
        f"--throughput-threshold={share}",
        f"--throughput-thresholds={thresholds.resolve()}",
        f"--benchmark-json={results}",
    ]
    results.unlink(missing_ok=True)
    status = _run([*command, *options])
    if status == ExitCode.NOTHING_MEASURED:
        raise NotMeasured("nothing was measured")
    if status not in (0, 1):  # With 1, one side may have failed; the verdicts say so.
        raise ValueError(f"{shlex.join(command)} ended with status {status}; expected pytest, which measures a case")
    try:
        return convert(parse_object(read_whole(results, MAX_RESULT_BYTES)), _Results).throughput.verdicts.cases
    except Unreadable:
        raise NotMeasured(f"the command ended with status {status} and wrote no results") from None
    except ValueError as error:
        raise NotMeasured(f"the results have no verdicts: {error}") from None


def _run(command: Sequence[str]) -> int:
    """Run the command with its output on standard error, and return its status. Raise ValueError if it cannot start."""
    # A verdict of the search is no verdict for GitHub to annotate.
    variables = {name: value for name, value in os.environ.items() if name != "GITHUB_ACTIONS"}
    try:
        process = subprocess.Popen(command, env=variables, stdin=subprocess.DEVNULL, stdout=_STANDARD_ERROR)
    except OSError as error:
        raise ValueError(f"{command[0]} cannot be started: {error.strerror}") from None
    with process:
        try:
            return process.wait()
        except KeyboardInterrupt:  # Ctrl-C reaches the command as well, which keeps what it has measured, and ends.
            process.wait()
            raise
