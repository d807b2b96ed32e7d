"""Measure the same cases with two versions of a package, in live pairs, and judge them."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pytest_throughput.commands.answer import Answer, note
from pytest_throughput.exit_code import ExitCode

if TYPE_CHECKING:
    from pytest_throughput.environments.environment import Environment

__all__ = ["add", "paired_options", "run"]

_SIDES = ("base", "head")
_REQUIREMENT = "a version (numpy==2.3.5), a git revision (git+file:///path@REVISION) or a folder (.)"


def add(parsers: Any) -> None:
    """Add the command to argparse's subparsers."""
    parser = parsers.add_parser("ab", help="measure two versions of a package and judge them", description=__doc__)
    for side, what in zip(_SIDES, ("judge by", "judge"), strict=True):
        about = f"What to {what}, as pip takes it: {_REQUIREMENT}. Can be given several times."
        parser.add_argument(f"--{side}", action="append", required=True, metavar="REQ", help=about)
    parser.add_argument(
        "--python",
        default=sys.executable,
        metavar="PYTHON",
        help="The Python that both sides extend: they have what is installed for it, and their own requirements "
        "in addition, which take precedence. Default: the Python that runs this command.",
    )
    parser.add_argument(
        "pytest_arguments",
        nargs="*",
        metavar="-- ARGUMENT",
        help="The arguments of pytest, after --. They take precedence over those that this command gives. "
        "Default: none.",
    )
    parser.set_defaults(run=run, hint="; pytest's arguments come after --")


def run(arguments: argparse.Namespace) -> Answer:
    """Make both environments, and measure. Return pytest's exit status, or 2 if an environment cannot be made."""
    # Imported here: --help does not need them.
    import pytest

    from pytest_throughput.environments.environment import Environments
    from pytest_throughput.environments.pip import PipFailed

    try:
        environments = Environments(arguments.python, say=note)
        base, head = (environments.get(getattr(arguments, side)) for side in _SIDES)
    except PipFailed as error:
        return Answer(status=ExitCode.BAD_USAGE, problem=f"pytest-throughput: {error}")
    except OSError as error:
        return Answer(status=ExitCode.BAD_USAGE, problem=f"pytest-throughput: cannot make an environment: {error}")
    for side, environment in zip(_SIDES, (base, head), strict=True):
        for conflict in environment.conflicts:
            note(f"{side}: pip warns: {conflict}")
    if base.folder == head.folder:
        note("base and head are the same environment: any difference that this run finds is noise")
    # pytest warns that it cannot rewrite the assertions of the plugin, which is imported already.
    quiet = ("-W", "ignore::pytest.PytestAssertRewriteWarning")
    return Answer(status=int(pytest.main([*quiet, *paired_options(base, head), *arguments.pytest_arguments])))


def paired_options(base: Environment, head: Environment) -> Sequence[str]:
    """Return the options with which pytest measures in both environments and judges: live pairs, more if undecided."""
    interpreters = [
        f"--throughput-interpreter={side}/*={shlex.quote(str(environment.python))}"
        for side, environment in zip(_SIDES, (base, head), strict=True)
    ]
    return [
        "--throughput-order=paired",
        "--throughput-trials=5",
        "--throughput-confirm=5",
        "--throughput-gate=fail",
        *interpreters,
    ]
