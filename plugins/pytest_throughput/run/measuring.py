"""Measure one trial of a test's case, or take it from a resumed run, and pass it to pytest-benchmark."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import pytest

from pytest_throughput.launch.batch_search import refuse_endless_search
from pytest_throughput.launch.trials import TrialRun, Trials
from pytest_throughput.measurement.plan import ONCE, Plan
from pytest_throughput.results.ended_trial import EndedTrial
from pytest_throughput.results.writer import extra_info
from pytest_throughput.run import anchored, replay
from pytest_throughput.run.arguments import step_here, whole_number_of_items
from pytest_throughput.run.collection import MeasuredItem
from pytest_throughput.run.job_progress import JobProgress
from pytest_throughput.run.jobs import part_of
from pytest_throughput.run.launching import open_trials
from pytest_throughput.run.live_pairs import LivePairs
from pytest_throughput.run.observers import BudgetSpent
from pytest_throughput.run.outcomes import end_test, outcome_of
from pytest_throughput.run.recorded_settings import with_settings
from pytest_throughput.run.session import ThroughputSession
from pytest_throughput.run.sides import side_of
from pytest_throughput.run.targets import Target, read_target, target_of
from pytest_throughput.worker.protocol import Outcome, Progress, Request
from pytest_throughput.worker.trial import OnError, run_opened_step

__all__ = ["Measuring"]

RunTrial = Callable[[Plan], TrialRun]


class Measuring:
    """The implementation of the fixtures ``measure_isolated`` and ``measure_step``."""

    def __init__(self, config: pytest.Config, session: ThroughputSession) -> None:
        self._config = config
        self._session = session
        self.settings = session.settings
        self._error: Exception | None = None
        """The exception that ended the latest trial, if a debugger needs it."""
        self._progress: JobProgress | None = None
        """The progress of the job that runs; None for a step."""
        self._pairs = LivePairs(session)
        self._stack = ExitStack()
        """Closes what the run has opened, in the reverse order."""
        self._stack.callback(session.devices.release)

    def measure_isolated(
        self,
        node: pytest.Item,
        benchmark: Any,
        clock: replay.ReplayClock,
        /,
        target: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        items: int = 1,
        device: str = "cpu",
        interpreter: str = "python",
        largest: str | None = None,
        phase: str | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """Measure one trial of ``target`` by the settings' isolation.

        The arguments from ``target`` on are those of the fixture, ``MeasureIsolated``, which explains them.
        """
        __tracebackhide__ = True
        found = self._find(node)
        asked = read_target(
            target,
            arguments,
            items=items,
            device=device,
            interpreter=interpreter,
            largest=largest,
            phase=phase,
            variables=variables,
        )
        side = side_of(self._session, found, asked)
        if largest is not None:
            refuse_endless_search(self.settings.isolation, self.settings.memory_limit_bytes, device)

        def run_target(plan: Plan) -> TrialRun:
            request = replace(side.request, plan=plan)
            self._progress = None
            if phase is not None and plan != ONCE:
                request = self._with_progress(found, asked, phase, request)
            if largest is not None:
                run = self._trials.run_largest_batch(request, side.placement, largest)
            elif phase is None and self.settings.order == "paired" and plan != ONCE:
                run = self._pairs.run(self._trials, found, side, self._with_settings)
            elif phase is None and self.settings.anchors and plan != ONCE:
                run = anchored.run_beside_anchor(self._trials, self.settings.anchors, side)
            else:
                run = self._trials.run(request, side.placement, side.items)
            return replace(run, error=self._error)

        stderr = self._pairs.begin(found, side.job)

        def run_trial(plan: Plan) -> TrialRun:
            if phase is None:
                run = run_target(plan)
                return replace(run, outcome=part_of(run.outcome, None, target))
            # A job that an exception has ended is not run again for its other phases.
            return self._session.jobs.take(
                side.job, phase, target, lambda: self._run(lambda: run_target(plan), side.items)
            )

        # The number of items of a search or a phase is known only after the trial.
        counted = side.items if largest is None and phase is None else None
        has_run = phase is not None and self._session.jobs.has(side.job, phase)
        self._measure(
            found, benchmark, clock, counted, self.settings.isolation, run_trial, has_run=has_run, stderr=stderr
        )

    def _with_progress(self, found: MeasuredItem, asked: Target, phase: str, request: Request) -> Request:
        """Return the request of a job whose progress is shown and kept from now on."""

        def test_of(name: str) -> MeasuredItem | None:
            if name == phase:
                return found
            same = found.environment, found.trial, replace(asked, phase=name)
            tests = self._session.items.values()
            return next((each for each in tests if (each.environment, each.trial, target_of(each.item)) == same), None)

        self._progress = JobProgress(
            self._session,
            found,
            _now(),
            test_of=test_of,
            with_settings=lambda outcome: self._with_settings(outcome, self.settings.isolation),
        )
        store = self._session.trial_store
        return request if store is None else replace(request, kept_parts=store.kept_parts(found, phase))

    def _on_progress(self, progress: Progress) -> None:
        if self._progress is not None:
            self._progress(progress)

    def measure_step(
        self,
        node: pytest.Item,
        benchmark: Any,
        clock: replay.ReplayClock,
        /,
        step: Callable[[], Any],
        *,
        items: int = 1,
        synchronize: Callable[[], object] | None = None,
    ) -> None:
        """Measure one trial of a step in this process.

        The arguments from ``step`` on are those of the fixture, ``MeasureStep``, which explains them.
        """
        __tracebackhide__ = True
        opened = step_here(step, synchronize)
        items = whole_number_of_items(items)

        def run_trial(plan: Plan) -> TrialRun:
            outcome = run_opened_step(opened, plan, self.settings.steps_per_round, self._on_error)
            return TrialRun(outcome, "", items, self._error)

        self._measure(self._find(node), benchmark, clock, items, "none", run_trial)

    def _find(self, item: pytest.Item) -> MeasuredItem:
        __tracebackhide__ = True
        if item.nodeid not in self._session.items:
            raise pytest.UsageError(
                "measure_step and measure_isolated have to be named among a test's parameters: "
                "the cases of a run are known before it begins"
            )
        return self._session.items[item.nodeid]

    def _measure(
        self,
        found: MeasuredItem,
        benchmark: Any,
        clock: replay.ReplayClock,
        items: int | None,
        isolation: str,
        run_trial: RunTrial,
        *,
        has_run: bool = False,
        stderr: str = "",
    ) -> None:
        """Measure, record and report a trial.

        ``items``: None if the number is known only after the trial. ``has_run``: whether ``run_trial`` only returns
        what an earlier test has measured, for which no budget is needed. ``stderr``: the standard error of a trial
        that the store holds.
        """
        __tracebackhide__ = True
        clock.use(benchmark)
        self._error = None
        if benchmark.disabled:
            replay.commit_disabled(benchmark)
            end_test(found.item, run_trial(ONCE))
            return
        ended = None if self._session.trial_store is None else self._session.trial_store.take(found)
        if ended is not None and items in (ended.items, None):
            run = TrialRun(ended.outcome, stderr, ended.items)
        else:
            try:
                if not has_run:
                    self._begin(found)
                ended, run = self._measure_now(found, items, isolation, run_trial)
            except pytest.skip.Exception:
                replay.commit_nothing(benchmark, clock)
                raise
        self._settle(found, benchmark, clock, ended)
        end_test(found.item, run)

    @cached_property
    def _on_error(self) -> OnError | None:
        """A function that keeps the exception of a trial in this process, so that --pdb stops where it was raised."""

        def keep(error: Exception) -> None:
            self._error = error

        return keep if self._config.getoption("usepdb", False) else None

    def _measure_now(
        self, found: MeasuredItem, items: int | None, isolation: str, run_trial: RunTrial
    ) -> tuple[EndedTrial, TrialRun]:
        session = self._session
        started_at = _now()
        if session.observer is not None:
            session.observer.running(found)
        try:
            run = self._run(lambda: run_trial(self.settings.plan), items or 1)
        except (KeyboardInterrupt, pytest.exit.Exception, BudgetSpent):
            if session.observer is not None:
                session.observer.interrupted()
            raise
        run = replace(run, outcome=self._with_settings(run.outcome, isolation))
        ended = found.ended(started_at, run.items, run.outcome)
        if session.trial_store is not None:
            ended = session.trial_store.continued(ended)
            session.trial_store.keep(ended)
        return ended, run

    def _run(self, run: Callable[[], TrialRun], items: int) -> TrialRun:
        """Run a trial. An exception of pytest-timeout, or of a step's sys.exit(), becomes its outcome."""
        try:
            return run()
        except (KeyboardInterrupt, pytest.exit.Exception, BudgetSpent):
            raise
        except BaseException as error:
            return TrialRun(outcome_of(error), "", items, self._error)

    def _begin(self, found: MeasuredItem) -> None:
        """Wait for other runs on the same devices. Skip the test if the budget is spent by then."""
        store = self._session.trial_store
        budgeted = store is not None and self.settings.budget_seconds is not None
        self._session.devices.hold(store.is_spent if store is not None and budgeted else None)
        if store is not None:
            store.begin(found)

    def _settle(self, found: MeasuredItem, benchmark: Any, clock: replay.ReplayClock, ended: EndedTrial) -> None:
        ledger = self._session.ledger
        ledger.settle(ended)
        if self._session.observer is not None:
            self._session.observer.ended(found, ended)
        measurement, result = ended.outcome.measurement, ended.result
        if measurement is None or result is None:
            replay.commit_nothing(benchmark, clock)
        else:
            replay.commit(benchmark, clock, measurement.round_seconds, measurement.steps_per_round)
            benchmark.extra_info.update(extra_info(ledger.case(ended.case_id, ended.environment), result))

    def _with_settings(self, outcome: Outcome, isolation: str) -> Outcome:
        recorded = with_settings(outcome, isolation, self.settings)
        if recorded.measurement is None:
            return recorded
        paired = self._pairs.described(self._session.traces.described(recorded))
        return anchored.described(paired, self.settings.anchors)

    @cached_property
    def _trials(self) -> Trials:
        return open_trials(
            self._config, self.settings, self._stack, on_error=self._on_error, on_progress=self._on_progress
        )

    def pytest_unconfigure(self) -> None:
        """End the last worker, remove its folder, release the devices."""
        self._stack.close()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
