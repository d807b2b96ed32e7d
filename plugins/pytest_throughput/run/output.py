"""The one place through which this plugin's own lines go to the terminal of a pytest run."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress

import pytest

from pytest_throughput.text import printable_lines

__all__ = ["annotate", "encodable", "show"]


def show(reporter: pytest.TerminalReporter, text: str, *, red: bool = False) -> None:
    """Write lines without control sequences or CI commands, and as the terminal's encoding allows.

    An error of a terminal that has been closed is ignored: it must not lose the results or the exit status.
    """
    with suppress(OSError):
        for line in printable_lines(text, colour=bool(reporter.hasmarkup)).split("\n"):
            reporter.write_line(encodable(line), red=red)


def annotate(reporter: pytest.TerminalReporter, commands: Sequence[str]) -> None:
    """Write commands that a CI system obeys. The text in them has to be harmless (``report.github``)."""
    with suppress(OSError):
        for command in commands:
            reporter.write_line(encodable(command))


def encodable(text: str) -> str:
    """Return the text with characters that the encoding lacks as escapes; pytest would escape colours as well."""
    encoding = getattr(sys.__stdout__, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
