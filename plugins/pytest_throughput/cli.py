"""The command line ``pytest-throughput``, also ``python -m pytest_throughput``."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NoReturn

from pytest_throughput.commands import ab, accept, bisect, compare, doctor, export, gate, history, report, show
from pytest_throughput.commands.answer import Answer, deliver
from pytest_throughput.commands.output_file import NotWritten
from pytest_throughput.exit_code import ExitCode
from pytest_throughput.gate.baseline_store import StoreError
from pytest_throughput.text import printable

__all__ = ["main"]

_COMMANDS = (show, accept, gate, compare, report, export, history, ab, bisect, doctor)
_INTERRUPTED = 128 + signal.SIGINT
"""The status that a shell gives to a command that Ctrl-C ends."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, print its answer, and return the exit status; a failed output never turns it into 0."""
    _open_what_is_closed()
    return deliver(_answer(arguments))


def _open_what_is_closed() -> None:
    """Open the null device at the closed descriptors of standard streams, which the next opened file would take."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 - for as long as the process lives


def _answer(arguments: Sequence[str] | None) -> Answer:
    parser = _Parser(
        prog="pytest-throughput",
        description="Show, report and judge runs, keep baselines, compare versions, and check a machine.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    parsers = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.add(parsers)
    try:
        parsed, unknown = parser.parse_known_args(arguments)
        if unknown:
            parser.error(f"unrecognized arguments: {' '.join(unknown)}{getattr(parsed, 'hint', '')}")
        answer: Answer = parsed.run(parsed)
    except _Parsed as answered:
        return answered.answer
    except KeyboardInterrupt:
        return Answer(status=_INTERRUPTED, problem="pytest-throughput: interrupted")
    except StoreError as error:
        return Answer(status=ExitCode.NOT_WRITTEN if error.was_writing else ExitCode.BAD_USAGE, problem=_problem(error))
    except NotWritten as error:
        return Answer(status=ExitCode.NOT_WRITTEN, problem=_problem(error))
    except ValueError as error:  # Also Unreadable: files that cannot be used, or do not go together.
        return Answer(status=ExitCode.BAD_USAGE, problem=_problem(error))
    return answer


def _problem(error: Exception) -> str:
    return f"pytest-throughput: {printable(str(error))}"


class _Parsed(Exception):
    """The arguments ask for the help or the version, or are wrong. The exception has the answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


class _Parser(argparse.ArgumentParser):
    """A parser that raises `_Parsed` instead of printing: argparse ignores an output that fails."""

    def print_help(self, file: Any = None) -> NoReturn:
        raise _Parsed(Answer(self.format_help().rstrip()))

    def error(self, message: str) -> NoReturn:
        problem = f"{self.format_usage()}{self.prog}: error: {printable(message)}"
        raise _Parsed(Answer(status=ExitCode.BAD_USAGE, problem=problem))


class _Version(argparse.Action):
    """The option ``--version``."""

    def __call__(self, *_: Any) -> NoReturn:
        try:
            found = version("pytest-throughput")
        except PackageNotFoundError:
            found = "of a checkout that is not installed"
        raise _Parsed(Answer(f"pytest-throughput {found}"))
