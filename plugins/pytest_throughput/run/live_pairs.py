"""Live pairs in a run: the test of one side measures both, and the test of the other side takes its part."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pytest_throughput.launch.launcher import Placement
from pytest_throughput.launch.pairs import unpaired
from pytest_throughput.launch.trials import TrialRun, Trials, job_of
from pytest_throughput.run.collection import MeasuredItem
from pytest_throughput.run.jobs import part_of
from pytest_throughput.run.session import ThroughputSession
from pytest_throughput.worker.protocol import Outcome, Request

__all__ = ["LivePairs"]


class LivePairs:
    """The trials that were measured for tests that are still to come.

    The session's store writes both sides of a pair to the journal at once: a run that is asked to end leaves both or
    none. One that is killed may leave one; the run that resumes it then measures the other side alone.
    """

    def __init__(self, session: ThroughputSession) -> None:
        self._session = session
        self._waiting: dict[tuple[str, str, int], tuple[Hashable, str]] = {}
        """The job and the standard error of each of them, by its key."""

    def run(
        self,
        trials: Trials,
        found: MeasuredItem,
        request: Request,
        placement: Placement,
        items: int,
        with_settings: Callable[[Outcome, str], Outcome],
    ) -> TrialRun:
        """Measure the test's trial together with that of the other side, which is kept for its own test.

        If the other side cannot be measured now, measure the test's trial alone.
        """
        partner = self._partner(found)
        if isinstance(partner, str):
            run = trials.run(request, placement, items)
            return replace(run, outcome=unpaired(run.outcome, partner))
        settings, started_at = self._session.settings, datetime.now(UTC).isoformat(timespec="milliseconds")
        names = settings.interpreters.environments
        other = replace(
            placement, interpreter=settings.interpreters.find(partner.environment, placement.interpreter.name)
        )
        first, second = (placement if name == found.environment else other for name in names)
        runs = dict(zip(names, trials.run_pair(request, (first, second), items), strict=True))
        run = runs[partner.environment]
        outcome = with_settings(part_of(run.outcome, None, request.target), settings.isolation)
        assert self._session.trial_store is not None
        self._session.trial_store.keep_for_its_test(partner.ended(started_at, run.items, outcome))
        self._waiting[partner.key] = job_of(request.target, request.arguments, other), run.stderr
        return runs[found.environment]

    def described(self, outcome: Outcome) -> Outcome:
        """Return a trial's outcome with how it was paired, if this run measures in pairs."""
        if self._session.settings.order != "paired":
            return outcome
        metadata = dict(outcome.metadata)
        is_paired = "slices" in metadata
        metadata["settings"] = {**metadata["settings"], "pairing": "slices" if is_paired else "trials"}
        if not is_paired:
            metadata.setdefault("unpaired", self._reason(metadata))
        return replace(outcome, metadata=metadata)

    @staticmethod
    def _reason(metadata: Mapping[str, Any]) -> str:
        """Return why a trial is none that ``run`` has measured."""
        if metadata["settings"]["isolation"] == "none":
            return "measure_step has pytest's own interpreter only; use measure_isolated"
        if "phase" in metadata:
            return "a job of phases runs once, and has no slices"
        return "the largest batch is searched in trials of its own"

    def _partner(self, found: MeasuredItem) -> MeasuredItem | str:
        """Return the test of the other side if it can be measured with this one; otherwise the reason, in words."""
        environments = self._session.settings.interpreters.environments
        if len(environments) != 2:
            return f"a pair has two environments, and this run has {len(environments)}"
        other = environments[1 - environments.index(found.environment)]
        key = found.case_id, other, found.trial
        partner = next((each for each in self._session.items.values() if each.key == key), None)
        if partner is None:
            return f"this run does not measure it in {other}"
        store = self._session.trial_store
        if store is None or store.holds(partner) or self._session.ledger.has_ended(*partner.key):
            return f"its trial in {other} was measured before"
        return partner

    def begin(self, found: MeasuredItem, job: Hashable) -> str:
        """Return the standard error of the trial that is kept for the test; empty without any.

        Forget that trial if the test measures something else, as one whose arguments depend on the environment.
        """
        measured, stderr = self._waiting.pop(found.key, (job, ""))
        if measured != job and self._session.trial_store is not None:
            self._session.trial_store.take(found)
        return stderr
