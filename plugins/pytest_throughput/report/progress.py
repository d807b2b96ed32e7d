"""Show on a terminal, while cases are measured, a line for each result and one for the running case.

The lines are written before and after a case and between the parts of a job, never while something is measured. A log
file has pytest's own dots instead.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import Any

from rich.cells import set_cell_size

from pytest_throughput.results.ended_trial import EndedTrial
from pytest_throughput.results.ledger import Ledger
from pytest_throughput.text import duration, printable, significant

__all__ = ["Progress", "summary_of"]

_ERASE_LINE = "\r\x1b[2K"


def summary_of(ended: EndedTrial) -> str:
    """Return one result in few words: ``31.24 images/s``, or the status."""
    primary = None if ended.result is None else ended.result.primary
    return ended.outcome.status if primary is None else f"{significant(primary.value)} {primary.unit}"


class Progress:
    """Writes to the terminal before and after each case; ``write`` must bypass pytest's capturing."""

    def __init__(
        self,
        ledger: Ledger,
        write: Callable[[str], object],
        width: int,
        suspend_capture: Callable[[], AbstractContextManager[Any]],
    ) -> None:
        self._ledger = ledger
        self._write = write
        self._width = width
        self._suspend_capture = suspend_capture
        self._began = time.monotonic()

    def running(self, name: str) -> None:
        """Show the running case, on a line that the result will replace."""
        done, asked = self._ledger.trials_ended, self._ledger.trials_asked
        elapsed = time.monotonic() - self._began
        left = f", about {duration(elapsed / done * (asked - done))} left" if done else ""
        self._replace_line(f"[{done + 1}/{asked}] {printable(name)} … ({duration(elapsed)} so far{left})")

    def part(self, name: str, text: str, seconds_left: float | None) -> None:
        """Show what has ended of the running case, on the same line."""
        left = "" if seconds_left is None else f", about {duration(seconds_left)} left"
        number = f"[{self._ledger.trials_ended + 1}/{self._ledger.trials_asked}]"
        self._replace_line(f"{number} {printable(text)}{left}: {printable(name)}")

    def ended(self, name: str, summary: str) -> None:
        """Show the result of the case, on a line that stays."""
        done, asked = self._ledger.trials_ended, self._ledger.trials_asked
        self._show(f"{_ERASE_LINE}[{done}/{asked}] {printable(name)}: {printable(summary)}\n")

    def interrupted(self) -> None:
        """Clear the line of the running case."""
        self._show(_ERASE_LINE)

    def _replace_line(self, line: str) -> None:
        self._show(_ERASE_LINE + set_cell_size(line, min(len(line), self._width - 1)))

    def _show(self, text: str) -> None:
        # A terminal that has been closed must neither fail a trial nor hide an interruption.
        with suppress(OSError), self._suspend_capture():
            self._write(text)
