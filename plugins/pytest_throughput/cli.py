"""The command line ``pytest-throughput``, also ``python -m pytest_throughput``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from pytest_throughput.commands import doctor, show
from pytest_throughput.throughput.untrusted import Unreadable

__all__ = ["BAD_USAGE", "main"]

BAD_USAGE = 2
"""Exit status of wrong arguments, and of files that cannot be read."""

_COMMANDS = (show, doctor)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="pytest-throughput", description="Looks at what a run has measured, and with what."
    )
    parsers = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.add(parsers)
    given = parser.parse_args(arguments)
    try:
        return int(given.run(given))
    except Unreadable as error:
        print(f"pytest-throughput: {error}", file=sys.stderr)
        return BAD_USAGE
    except BrokenPipeError:  # Such as `| head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
