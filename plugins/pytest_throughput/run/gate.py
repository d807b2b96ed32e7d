"""The gate in a run: verdicts after the last trial, confirmation trials before them, and the exit status."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from pytest_throughput.gate.confirmation import after_look, planned_looks, to_confirm
from pytest_throughput.gate.rules import Design
from pytest_throughput.gate.store_place import StoreError
from pytest_throughput.gate.verdict import Differences, Incomparable, Judgement, nothing_comparable
from pytest_throughput.options.gate_settings import BASE, HEAD
from pytest_throughput.run.benchmark_json import BenchmarkJson
from pytest_throughput.run.collection import MeasuredItem, in_order, measured
from pytest_throughput.run.compared_environments import differences_of
from pytest_throughput.run.output import show
from pytest_throughput.run.result import run_result
from pytest_throughput.run.session import ThroughputSession
from pytest_throughput.text import count, duration, printable

if TYPE_CHECKING:
    from pytest_throughput.gate.comparison import Comparison
    from pytest_throughput.gate.from_results import GivenRun
    from pytest_throughput.gate.verdict import CaseVerdict

__all__ = ["Gate"]

_MOST_NAMED = 5
"""The most cases that are named in the line of a look."""


class Gate:
    """The hooks of a run that is judged.

    The modules that judge import numpy and scipy, and most runs are not judged; so they are imported when needed.
    """

    def __init__(self, config: pytest.Config, session: ThroughputSession, results: BenchmarkJson) -> None:
        self._config = config
        self._session = session
        self._results = results
        self._settings = session.settings.gate
        self._looks = planned_looks(session.settings.trials, self._settings.confirm_trials, self._settings.rules)
        self._look = self._looks[0]
        """The look whose trials were begun last."""
        self._verdicts: tuple[CaseVerdict, ...] = ()
        """The verdicts after the last look that was held; empty before the first."""
        self._ended_early = False
        """Whether the budget ended the confirmation."""
        self._judgement: Judgement | None = None
        self._differences: Differences | None = None
        """What differs between base and head; None where they have the same interpreters, or nothing is compared."""

    @pytest.hookimpl(tryfirst=True)  # No journal is begun for a run that is refused.
    def pytest_collection_finish(self) -> None:
        """Refuse, before anything is measured, environments that would measure the same, and an unreadable baseline."""
        if not self._session.is_measuring:
            return
        if self._settings.baseline is None:
            self._differences = differences_of(self._session.settings)
            return
        from pytest_throughput.gate.baseline_store import Store

        try:
            Store(self._settings.baseline).check_readable()
        except StoreError as error:
            raise pytest.UsageError(f"--throughput-baseline: {printable(str(error))}") from None

    # Confirmation

    @pytest.hookimpl(wrapper=True)
    def pytest_pycollect_makeitem(self) -> Iterator[None]:
        """Take the confirmation trials out of the collection, before they are counted or can be deselected."""
        found: Any = yield
        if not self._settings.confirm_trials or not isinstance(found, list):
            return found  # type: ignore[no-any-return]
        kept = []
        for one in found:
            item = measured(one, self._session.settings)
            if item is not None and item.trial > self._session.settings.trials:
                self._session.confirmation_items[one.nodeid] = item
            else:
                kept.append(one)
        return kept  # type: ignore[return-value]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Iterator[None]:
        """Run the confirmation trials of undecided cases, after all others."""
        done: Any = yield
        if self._session.is_measuring and self._session.confirmation_items:
            self._confirm(session)
        return done  # type: ignore[no-any-return]

    def _confirm(self, session: pytest.Session) -> None:
        for look, following in pairwise(self._looks):
            try:
                comparison = self._compare()
                now = comparison.verdicts(look.rules)
            except Exception:  # `_judge` meets the same error at the end of the run, and reports it.
                return
            self._verdicts = after_look(self._verdicts, now, look.number)
            undecided = to_confirm(self._verdicts, comparison.design)
            chosen = self._confirmation_items(undecided, range(look.trials + 1, following.trials + 1))
            if not chosen:
                return
            self._look = following
            unit = "more pair" if comparison.design is Design.PAIRS else "more trial"
            self._show_look(count(following.trials - look.trials, unit), chosen)
            self._run(session, chosen)
            store = self._session.trial_store
            if store is not None and store.is_spent() and not self._session.ledger.is_complete:
                self._ended_early = True
                return

    def _confirmation_items(self, case_ids: Sequence[str], trials: Collection[int]) -> list[MeasuredItem]:
        """Return the tests of these trials, case by case in the order of ``case_ids``."""
        compared = (
            {BASE, HEAD} if self._settings.baseline is None else {*self._session.settings.interpreters.environments}
        )
        place = {case_id: index for index, case_id in enumerate(case_ids)}
        found = [
            one
            for one in self._session.confirmation_items.values()
            if one.case_id in place and one.environment in compared and one.trial in trials
        ]
        return sorted(found, key=lambda one: place[one.case_id])

    def _show_look(self, more: str, chosen: Sequence[MeasuredItem]) -> None:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            cases = tuple(dict.fromkeys(one.case_id for one in chosen))
            names = f": {printable(', '.join(cases))}" if len(cases) <= _MOST_NAMED else ""
            show(reporter, f"\nconfirming with {more} of {count(len(cases), 'case')} ({self._which_look}){names}")

    @property
    def _which_look(self) -> str:
        return f"look {self._look.number} of {len(self._looks)}"

    def _run(self, session: pytest.Session, chosen: Sequence[MeasuredItem]) -> None:
        # The first case of `chosen` stays the first.
        items = in_order([found.item for found in chosen], self._session.settings)
        for found in chosen:
            self._session.items[found.item.nodeid] = found
            self._session.ledger.ask(found.case_id, found.environment, found.trial, found.axes)
        session.items += items
        session.testscollected += len(items)
        for item, following in zip(items, [*items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            # pytest's own loop does the same.
            if session.shouldfail:
                raise session.Failed(session.shouldfail)
            if session.shouldstop:
                raise session.Interrupted(session.shouldstop)

    # Verdicts

    @property
    def judgement(self) -> Judgement | None:
        """Judge the run when this is first read, and keep the result; None if nothing was measured. Never raises."""
        if self._judgement is None and self._session.is_measuring and self._session.ledger.trials_ended:
            self._judgement = self._judge()
        return self._judgement

    @property
    def fails_on(self) -> Collection[str]:
        """The verdicts with which the run fails."""
        return self._settings.fail_on if self._settings.mode == "fail" else ()

    def _judge(self) -> Judgement:
        try:
            comparison = self._compare()
            # However the trials ended, the last judgement is by the rules of the last look.
            verdicts = after_look(self._verdicts, comparison.verdicts(self._looks[-1].rules), self._look.number)
            judgement = comparison.judgement(verdicts, self._settings.fail_on, self._settings.rules)
            judgement = replace(judgement, notes=(*judgement.notes, *self._notes))
            return judgement if self._differences is None else judgement.with_differences(self._differences)
        except Incomparable as error:
            return nothing_comparable(str(error))
        except StoreError as error:
            todo = "judge the result file by pytest-throughput gate when it can be read"
            return _not_judged(f"{printable(str(error))}; {todo}")
        except Exception as error:
            # An exception in a hook would hide the results.
            return _not_judged(f"{type(error).__name__}: {printable(str(error))}")

    @property
    def _notes(self) -> list[str]:
        if not self._ended_early:
            return []
        budget = duration(self._session.settings.budget_seconds)
        return [
            f"confirmation ended before {self._which_look}: --throughput-budget of {budget} is spent; cases that were "
            "undecided by then are judged by what was measured"
        ]

    def _compare(self) -> Comparison:
        from pytest_throughput.gate.comparison import between, with_baseline

        if self._settings.baseline is None:
            return between([self._given(BASE)], [self._given(HEAD)], paired=True)
        (environment,) = self._session.settings.interpreters.environments
        return with_baseline([self._given(environment)], self._settings.baseline, self._how_to_accept())

    def _given(self, environment: str) -> GivenRun:
        from pytest_throughput.gate.from_results import measured_run

        name = "this run" if self._settings.baseline is not None else environment
        return measured_run(run_result(self._config, self._session), environment, name)

    def _how_to_accept(self) -> str:
        path = self._results.path
        file = shlex.quote(printable(str(path or "run.json")))
        first = "" if path is not None else "repeat the run with --benchmark-json=run.json, and then "
        folder = shlex.quote(printable(str(self._settings.baseline)))
        return f"{first}pytest-throughput accept {file} --baseline {folder}"

    # Output and exit status

    @pytest.hookimpl(optionalhook=True, trylast=True)
    def pytest_benchmark_update_json(self, output_json: dict[str, Any]) -> None:
        """Add the verdicts to the plugin's block, which an earlier hook has added."""
        if self.judgement is not None and "throughput" in output_json:
            output_json["throughput"]["verdicts"] = self.judgement.to_json()

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        judgement = self.judgement
        if judgement is not None and self._settings.mode == "fail" and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = judgement.exit_status

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.judgement is None:
            return
        from pytest_throughput.report import verdict_table as report
        from pytest_throughput.report.console import output_columns

        width = output_columns(bool(terminalreporter.isatty))
        with suppress(OSError):
            terminalreporter.write_sep("=", "gate")
        show(terminalreporter, report.as_table(self.judgement, width=width, colour=bool(terminalreporter.hasmarkup)))


def _not_judged(why: str) -> Judgement:
    return Judgement("the run could not be judged", pytest.ExitCode.INTERNAL_ERROR, notes=(why,))
