"""What a running job reports is shown, and what has ended of it is kept: an interruption does not lose it."""

from __future__ import annotations

from collections.abc import Callable

from pytest_throughput.run.collection import MeasuredItem
from pytest_throughput.run.jobs import of_phase
from pytest_throughput.run.session import ThroughputSession
from pytest_throughput.text import duration, listed, printable
from pytest_throughput.worker.parts import EndedPart
from pytest_throughput.worker.protocol import Outcome, Progress

__all__ = ["JobProgress"]


class JobProgress:
    """The progress of one job: an object to be called with each report."""

    def __init__(
        self,
        session: ThroughputSession,
        found: MeasuredItem,
        started_at: str,
        *,
        test_of: Callable[[str], MeasuredItem | None],
        with_settings: Callable[[Outcome], Outcome],
    ) -> None:
        """``found``: the test that runs the job. ``test_of`` returns the test of a phase; None where there is none.

        ``with_settings`` adds to the outcome of a phase the settings with which it was measured.
        """
        self._session = session
        self._found = found
        self._started_at = started_at
        self._test_of = test_of
        self._with_settings = with_settings
        self._phases: tuple[str, ...] = ()
        self._ended: list[str] = []
        """The phases that have ended, with their seconds."""
        self._is_warned = False

    def __call__(self, progress: Progress) -> None:
        """Show and keep what has ended. Raise BudgetSpent between two parts if a later run has to go on from here."""
        if progress.phases:
            # A job that ran out of memory beside other workers is opened once more.
            self._phases, self._ended = progress.phases, []
            self._say_what_is_repeated()
        if progress.ended_phase is not None and self._are_left:
            self._keep_phase(progress.ended_phase)
        if progress.ended_part is not None:
            self._keep_part(progress.ended_part)
        elif len(self._phases) > 1 and self._are_left and not progress.is_finished:
            number = len(self._ended)
            ended = f" (ended: {', '.join(self._ended)})" if self._ended else ""
            self._show(f"phase {number + 1} of {len(self._phases)}, {self._phases[number]}{ended}", None)

    @property
    def _are_left(self) -> bool:
        """Whether phases are left to end."""
        return len(self._ended) < len(self._phases)

    def _say_what_is_repeated(self) -> None:
        """Name the phases that have figures already, and that the job runs again for those that have none."""
        tests = {name: self._test_of(name) for name in self._phases}
        measured = [
            name
            for name, test in tests.items()
            if test is not None and test is not self._found and self._session.was_measured(test)
        ]
        if measured and self._session.observer is not None:
            self._session.observer.warn(
                f"{printable(self._found.case_id)}: the job runs as a whole, for the phases that were not measured "
                f"yet; {listed(measured)} keep the figures that they have"
            )

    def _keep_phase(self, outcome: Outcome) -> None:
        name = self._phases[len(self._ended)]
        measurement = outcome.measurement
        seconds = None if measurement is None else measurement.round_seconds[0]
        self._ended.append(f"{name} {duration(seconds)}")
        if name == self._phases[-1] or measurement is None:
            return  # What the job returns is kept at once.
        test, store = self._test_of(name), self._session.trial_store
        if store is not None and test is not None and not self._session.was_measured(test):
            store.keep_phase(
                test.ended(self._started_at, outcome.items or 1, self._with_settings(of_phase(outcome, name)))
            )

    def _keep_part(self, part: EndedPart) -> None:
        self._show(part.text, part.elapsed.seconds * (1 - part.done) / part.done)
        store, observer = self._session.trial_store, self._session.observer
        if part.problem is not None and observer is not None and not self._is_warned:
            self._is_warned = True
            case, problem = printable(self._found.case_id), printable(part.problem)
            observer.warn(f"{case}: an interruption would lose what has ended: {problem}")
        if store is not None and part.is_saved:
            store.keep_part(self._found, self._started_at, part)

    def _show(self, text: str, seconds_left: float | None) -> None:
        if self._session.observer is not None:
            self._session.observer.progress(self._found, text, seconds_left)
