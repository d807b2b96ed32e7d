"""Tables of rich as lines of text."""

from __future__ import annotations

import io

from rich.console import Console
from rich.table import Table

__all__ = ["lines_of"]

_UNLIMITED = 10_000


def lines_of(table: Table, width: int | None, colour: bool) -> list[str]:
    """Folded to so many columns; as wide as it needs to be if None."""
    buffer = io.StringIO()
    console = Console(
        file=buffer, width=width or _UNLIMITED, force_terminal=colour, no_color=not colour, highlight=False
    )
    console.print(table)
    return [line.rstrip() for line in buffer.getvalue().splitlines()]
