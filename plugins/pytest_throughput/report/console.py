"""Convert tables of rich to lines of text, and find the width of the output."""

from __future__ import annotations

import io
import os
import shutil
import sys

from rich.console import Console
from rich.table import Table

__all__ = ["lines_of", "output_columns", "standard_output"]

_UNLIMITED = 10_000


def output_columns(is_terminal: bool) -> int | None:
    """Return the width of the output in columns: the terminal's, or that of ``COLUMNS``; None for no limit."""
    given = os.environ.get("COLUMNS", "")
    is_given = given.isascii() and given.isdecimal() and int(given[:9]) > 0
    return shutil.get_terminal_size().columns if is_terminal or is_given else None


def standard_output() -> tuple[int | None, bool]:
    """Return the width of standard output, None for no limit, and whether it shows colours."""
    is_terminal = sys.stdout.isatty()
    return output_columns(is_terminal), is_terminal and "NO_COLOR" not in os.environ


def lines_of(table: Table, width: int | None, colour: bool) -> list[str]:
    """Return the table's lines, folded to ``width`` columns, or unfolded if it is None."""
    buffer = io.StringIO()
    console = Console(
        file=buffer, width=width or _UNLIMITED, force_terminal=colour, no_color=not colour, highlight=False
    )
    console.print(table)
    return [line.rstrip() for line in buffer.getvalue().splitlines()]
