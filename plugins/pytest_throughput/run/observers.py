"""The interfaces of the objects that show the trials of a session, and that store them."""

from __future__ import annotations

from typing import Protocol

from pytest_throughput.results.ended_trial import EndedTrial
from pytest_throughput.run.collection import MeasuredItem

__all__ = ["Observer", "TrialStore"]


class Observer(Protocol):
    """Shows each trial."""

    def waiting(self, name: str, holder: int | None) -> None:
        """Show that another run, of the process ``holder`` if known, has the processor or GPU of that name."""

    def warn(self, text: str) -> None:
        """Show a problem of the run while the run can still be stopped."""

    def running(self, found: MeasuredItem) -> None:
        """Show that the trial is about to be measured."""

    def ended(self, found: MeasuredItem, ended: EndedTrial) -> None:
        """Show how the trial has ended."""

    def interrupted(self) -> None:
        """Show that the trial was interrupted, and will not end."""


class TrialStore(Protocol):
    """Stores trials beyond the run."""

    def take(self, found: MeasuredItem) -> EndedTrial | None:
        """Return the trial, once, if an earlier run or an earlier test of this run has measured it."""

    def holds(self, found: MeasuredItem) -> bool:
        """Return whether ``take`` returns the trial."""

    def keep(self, ended: EndedTrial) -> None:
        """Store a trial that this run has measured."""

    def keep_for_its_test(self, ended: EndedTrial) -> None:
        """Store a trial for its own test, which is still to come, together with the next one that ``keep`` stores."""

    def is_spent(self) -> bool:
        """Return whether no time is left to wait for another run."""

    def begin(self, found: MeasuredItem) -> None:
        """Raise pytest.skip.Exception if no time is left to begin a trial."""
