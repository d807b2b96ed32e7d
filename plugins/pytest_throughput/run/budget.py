"""The budget of a run: the time after which no further trial begins."""

from __future__ import annotations

from time import monotonic

from pytest_throughput.run.collection import MeasuredItem
from pytest_throughput.run.observers import BudgetSpent
from pytest_throughput.text import duration

__all__ = ["Budget"]


class Budget:
    """Skips the tests for which ``--throughput-budget`` does not suffice."""

    def __init__(self, seconds: float | None) -> None:
        """``seconds``: None for no limit."""
        self._seconds = seconds
        self._deadline: float | None = None
        self.left_out: set[str] = set()
        """The tests that were skipped, by their node id."""

    def start(self) -> None:
        """Let the time run."""
        if self._seconds is not None:
            self._deadline = monotonic() + self._seconds

    @property
    def is_spent(self) -> bool:
        """Whether no time is left."""
        return self._deadline is not None and monotonic() >= self._deadline

    def refuse_if_spent(self, found: MeasuredItem, what: str) -> None:
        """Raise BudgetSpent if no time is left; ``what`` says what becomes of the test."""
        if self.is_spent:
            self.left_out.add(found.item.nodeid)
            raise BudgetSpent(f"{what}: --throughput-budget of {duration(self._seconds)} is spent")
