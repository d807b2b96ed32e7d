"""The command line ``pytest-throughput``, also ``python -m pytest_throughput``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from pytest_throughput.commands import accept, compare, doctor, gate, show
from pytest_throughput.regression.store import StoreError
from pytest_throughput.throughput.text import printable

__all__ = ["BAD_USAGE", "main"]

BAD_USAGE = 2
"""Exit status of wrong arguments, and of files that cannot be read."""
NOT_WRITTEN = 14

_COMMANDS = (show, accept, gate, compare, doctor)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="pytest-throughput", description="Looks at runs and machines; judges runs.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {_version()}")
    parsers = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.add(parsers)
    given = parser.parse_args(arguments)
    try:
        return int(given.run(given))
    except StoreError as error:
        print(f"pytest-throughput: {printable(str(error))}", file=sys.stderr)
        return NOT_WRITTEN if error.was_writing else BAD_USAGE
    except ValueError as error:  # Also Unreadable: files that cannot be used, or do not go together.
        print(f"pytest-throughput: {printable(str(error))}", file=sys.stderr)
        return BAD_USAGE
    except BrokenPipeError:  # Such as `| head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _version() -> str:
    try:
        return version("pytest-throughput")
    except PackageNotFoundError:
        return "of a checkout that is not installed"
