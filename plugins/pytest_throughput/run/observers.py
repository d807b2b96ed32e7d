"""The interfaces of the objects that show the trials of a session, and that store them."""

from __future__ import annotations

from typing import Protocol

import pytest

from pytest_throughput.results.ended_trial import EndedTrial
from pytest_throughput.run.collection import MeasuredItem
from pytest_throughput.worker.parts import EndedPart, KeptParts

__all__ = ["BudgetSpent", "Observer", "TrialStore"]


class BudgetSpent(pytest.skip.Exception):  # type: ignore[name-defined,misc]
    """No time is left to begin a trial, or to go on with one."""


class Observer(Protocol):
    """Shows each trial."""

    def waiting(self, name: str, holder: int | None) -> None:
        """Show that another run, of the process ``holder`` if known, has the processor or GPU of that name."""

    def warn(self, text: str) -> None:
        """Show a problem of the run while the run can still be stopped."""

    def running(self, found: MeasuredItem) -> None:
        """Show that the trial is about to be measured."""

    def progress(self, found: MeasuredItem, text: str, seconds_left: float | None) -> None:
        """Show what has ended of a trial that goes on, and about how many seconds are left; None if unknown."""

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

    def keep_phase(self, ended: EndedTrial) -> None:
        """Store a phase of a job that runs, for a later run only: ``keep`` follows when its test takes it."""

    def kept_parts(self, found: MeasuredItem, phase: str) -> KeptParts | None:
        """Return where the worker keeps the parts of the phase that the test is about, and the last one so far."""

    def keep_part(self, found: MeasuredItem, started_at: str, part: EndedPart) -> None:
        """Store a part of a trial that has not ended. Raise BudgetSpent if no time is left to go on."""

    def continued(self, ended: EndedTrial) -> EndedTrial:
        """Return the trial; one that went on after parts of an earlier run is marked as resumed, and began then."""

    def keep_for_its_test(self, ended: EndedTrial) -> None:
        """Store a trial for its own test, which is still to come, together with the next one that ``keep`` stores."""

    def is_spent(self) -> bool:
        """Return whether no time is left to wait for another run."""

    def begin(self, found: MeasuredItem) -> None:
        """Raise BudgetSpent if no time is left to begin a trial."""
