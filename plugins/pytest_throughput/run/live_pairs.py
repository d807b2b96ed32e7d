"""Trials measured in turn in a run: the test of one side measures all, and the tests of the others take their part."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pytest_throughput.launch.pairs import unpaired
from pytest_throughput.launch.trials import Side, TrialRun, Trials
from pytest_throughput.run.collection import MeasuredItem
from pytest_throughput.run.jobs import part_of
from pytest_throughput.run.session import ThroughputSession
from pytest_throughput.run.sides import MeasuredAlone, Sides
from pytest_throughput.worker.protocol import Outcome

__all__ = ["LivePairs", "reason_to_be_alone"]


class LivePairs:
    """The trials that were measured for tests that are still to come.

    The session's store writes all sides to the journal at once: a run that is asked to end leaves all or none. One that
    is killed may leave some; the run that resumes it then measures the others without them.
    """

    def __init__(self, session: ThroughputSession) -> None:
        self._session = session
        self._sides = Sides(session)
        self._waiting: dict[tuple[str, str, int], tuple[Hashable, str]] = {}
        """The job and the standard error of each of them, by its key."""

    def run(
        self, trials: Trials, found: MeasuredItem, own: Side, with_settings: Callable[[Outcome, str], Outcome]
    ) -> TrialRun:
        """Measure the test's trial together with those of the other sides, which are kept for their own tests.

        If no other side can be measured now, measure the test's trial alone.
        """
        try:
            sides = self._sides.of(found, own)
        except MeasuredAlone as alone:
            run = trials.run(own.request, own.placement, own.items)
            return replace(run, outcome=unpaired(run.outcome, str(alone)))
        session, started_at = self._session, datetime.now(UTC).isoformat(timespec="milliseconds")
        assert session.trial_store is not None
        runs = dict(zip([each.key for each, _ in sides], trials.run_in_turn([side for _, side in sides]), strict=True))
        for member, side in sides:
            if member is not found:
                run = runs[member.key]
                outcome = with_settings(part_of(run.outcome, None, side.request.target), session.settings.isolation)
                session.trial_store.keep_for_its_test(member.ended(started_at, run.items, outcome))
                self._waiting[member.key] = side.job, run.stderr
        return runs[found.key]

    def described(self, outcome: Outcome) -> Outcome:
        """Return a trial's outcome with how it was paired, if this run measures in turn."""
        if self._session.settings.order != "paired":
            return outcome
        metadata = dict(outcome.metadata)
        is_paired = "slices" in metadata
        metadata["settings"] = {**metadata["settings"], "pairing": "slices" if is_paired else "trials"}
        if not is_paired:
            metadata.setdefault("unpaired", reason_to_be_alone(metadata))
        return replace(outcome, metadata=metadata)

    def begin(self, found: MeasuredItem, job: Hashable) -> str:
        """Return the standard error of the trial that is kept for the test; empty without any.

        Forget that trial if the test measures something else, as one whose arguments depend on the environment.
        """
        measured, stderr = self._waiting.pop(found.key, (job, ""))
        if measured != job and self._session.trial_store is not None:
            self._session.trial_store.take(found)
        return stderr


def reason_to_be_alone(metadata: Mapping[str, Any]) -> str:
    """Return why a measured trial could have no other beside it, in words."""
    if metadata["settings"]["isolation"] == "none":
        return "measure_step measures in pytest's own process; use measure_isolated"
    if "phase" in metadata:
        return "a job of phases runs once, and has no slices"
    return "the largest batch is searched in trials of its own"
