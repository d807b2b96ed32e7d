"""Find the commit, or the version of a package, that made a case slower."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_throughput.commands.answer import Answer, note
from pytest_throughput.commands.bisecting.candidates import Candidate, commits, read_versions, versions
from pytest_throughput.commands.bisecting.comparing import FIRST_PAIRS, FoundVerdict, NotMeasured, compare
from pytest_throughput.commands.bisecting.state import NOT_MEASURED, Question, State
from pytest_throughput.environments.pip import Pip, PipFailed
from pytest_throughput.exit_code import ExitCode
from pytest_throughput.gate.bisection import Finding, finding_of
from pytest_throughput.options.gate_options import THRESHOLD
from pytest_throughput.options.option import Option
from pytest_throughput.options.readers import MOST_TRIALS, read_whole_number

if TYPE_CHECKING:
    from pytest_throughput.commands.bisecting.bisection import Bisected
    from pytest_throughput.environments.environment import Environment, Environments

__all__ = ["add", "run"]

_VERSIONS = Option(
    name="versions",
    metavar="NAME==VERSIONS",
    read=read_versions,
    default_help="commits of the repository of the current folder",
    help="Compare versions of a package in place of commits: a list with commas, such as torch==2.12.*,2.13.*. Where "
    "it has a *, pip is asked for the versions; its variables hold, such as PIP_INDEX_URL and PIP_PRE.",
)
_CASE = Option(
    name="case",
    metavar="ID",
    default_help="the one that has slowed most from --good to --bad",
    help="The case to follow. COMMAND should select it, since it measures all that it selects in each comparison.",
)
_MOST_PAIRS = Option(
    name="most-pairs",
    metavar="N",
    read=read_whole_number(FIRST_PAIRS, MOST_TRIALS),
    default="40",
    help=f"The most live pairs of a comparison. It begins with {FIRST_PAIRS}, and an undecided one gets more in about "
    "three steps.",
)
_DIRECTORY = Option(
    name="directory",
    metavar="DIR",
    read=Path,
    default=".throughput/bisect",
    help="The folder of the state and of the result file of each comparison. The same command continues from them.",
)


def add(parsers: Any) -> None:
    """Add the command to argparse's subparsers."""
    parser = parsers.add_parser(
        "bisect",
        usage="%(prog)s [OPTION ...] --good REV --bad REV -- COMMAND",  # argparse would repeat "-- COMMAND".
        help="find what made a case slower",
        description=__doc__,
    )
    for name, what in (("good", "is as fast as it should be"), ("bad", "is slower")):
        parser.add_argument(
            f"--{name}", required=True, metavar="REV", help=f"A commit that {what}; with --versions, a version."
        )
    for option in (_VERSIONS, _CASE, THRESHOLD, _MOST_PAIRS, _DIRECTORY):
        option.add_to(parser)
    parser.add_argument(
        "--python",
        default=sys.executable,
        metavar="PYTHON",
        help="The Python that every environment extends by a commit or version. Default: the Python that runs this "
        "command.",
    )
    parser.add_argument(
        "command",
        nargs="+",
        metavar="-- COMMAND",
        help="The command that measures, after --: pytest and its arguments.",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> Answer:
    """Bisect, and return the table of comparisons and the result. Raise ValueError, also Unreadable."""
    from pytest_throughput.commands.bisecting.bisection import bisect
    from pytest_throughput.commands.bisecting.table import render
    from pytest_throughput.environments.environment import Environments
    from pytest_throughput.report.console import standard_output

    candidates = _candidates(arguments)
    question = Question(
        candidates=tuple(each.requirement for each in candidates),
        command=tuple(arguments.command),
        python=arguments.python,
        case=arguments.case,
        threshold=arguments.threshold,
        most_pairs=arguments.most_pairs,
    )
    folder: Path = arguments.directory
    state = State(folder / "state.json", question)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        measuring = _Measuring(arguments, candidates, Environments(arguments.python, say=note))
        bisected = bisect(question, state, measuring.compare)
    except OSError as error:
        problem = f"pytest-throughput: {folder} cannot be written: {error.strerror}; --directory names another folder"
        return Answer(status=ExitCode.NOT_WRITTEN, problem=problem)
    width, colour = standard_output()
    text = render(bisected, candidates, width=width, colour=colour)
    return Answer(text, _exit_status(bisected))


def _candidates(arguments: argparse.Namespace) -> list[Candidate]:
    if arguments.versions is None:
        return commits(Path(), arguments.good, arguments.bad)
    name, patterns = arguments.versions
    pip = Pip(shutil.which(arguments.python) or arguments.python)
    return versions(name, patterns, arguments.good, arguments.bad, pip)


def _exit_status(bisected: Bisected) -> ExitCode:
    """Return 0 if one candidate was found and confirmed, else why none was."""
    if bisected.is_confirmed:
        return ExitCode.OK
    if bisected.ends.verdict == NOT_MEASURED:
        return ExitCode.NOTHING_MEASURED
    if finding_of(bisected.ends.verdict) is Finding.NOT_SLOWER:
        return ExitCode.NOTHING_COMPARABLE
    return ExitCode.INCONCLUSIVE


class _Measuring:
    """Compares candidates by running the command in their environments."""

    def __init__(
        self, arguments: argparse.Namespace, candidates: Sequence[Candidate], environments: Environments
    ) -> None:
        self._arguments = arguments
        self._candidates = candidates
        self._environments = environments

    def compare(self, purpose: str, base: int, head: int, threshold: float) -> Sequence[FoundVerdict]:
        """Return the verdicts on a candidate against another one. Raise NotMeasured and ValueError."""
        first, second = self._candidates[base], self._candidates[head]
        note(f"comparing {second.shown} with {first.shown} ({purpose})")
        results = self._arguments.directory / f"{purpose}-{first.shown}-{second.shown}.json"
        sides = self._environment(first), self._environment(second)
        return compare(self._arguments.command, *sides, threshold, self._arguments.most_pairs, results)

    def _environment(self, candidate: Candidate) -> Environment:
        try:
            return self._environments.get([candidate.requirement])
        except (PipFailed, OSError, ValueError) as error:
            raise NotMeasured(f"{candidate.shown} cannot be installed: {error}") from None
