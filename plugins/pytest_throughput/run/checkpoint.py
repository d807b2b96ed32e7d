"""Keep the trials of a run, however it ends: the journal, resuming a run, the budget, the signals."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from pytest_throughput.results.ended_trial import EndedTrial
from pytest_throughput.results.journal import Heading, Journal
from pytest_throughput.results.owned_file import InUse, OwnedFile
from pytest_throughput.run.benchmark_json import BenchmarkJson
from pytest_throughput.run.budget import Budget
from pytest_throughput.run.collection import MeasuredItem
from pytest_throughput.run.journal_path import is_same, journal_path
from pytest_throughput.run.output import show
from pytest_throughput.run.parts_store import PartsStore
from pytest_throughput.run.result import fingerprint
from pytest_throughput.run.result_path import refuse_what_cannot_be_written
from pytest_throughput.run.session import ThroughputSession
from pytest_throughput.run.signals import Signals
from pytest_throughput.run.size_warning import SizeWarning
from pytest_throughput.text import count, printable
from pytest_throughput.worker.parts import EndedPart, KeptParts

__all__ = ["Checkpoint"]


class Checkpoint:
    """The hooks of a run that measures, and the session's store of trials."""

    def __init__(self, config: pytest.Config, session: ThroughputSession, results: BenchmarkJson) -> None:
        self._config = config
        self._session = session
        self._results = results
        self._signals = Signals()
        self._journal: Journal | None = None
        self._parts: PartsStore | None = None
        self._earlier: dict[tuple[str, str, int], EndedTrial] = {}
        """Trials of the resumed journal, and of pairs, whose tests have not been run yet."""
        self._unwritten: list[EndedTrial] = []
        """The trial of a pair that is written down together with that of the other side."""
        self._resumed = 0
        """How many trials the resumed journal held."""
        self.budget = Budget(session.settings.budget_seconds)
        self._is_left = False
        """Whether a journal is left with which a later run can go on."""
        self._is_settled = False
        """Whether the fate of the journal is decided: it has been removed, or is left."""
        self._has_shown_how_to_go_on = False
        self._claim: OwnedFile | None = None
        """A lock that keeps other runs from writing the JSON, if the resumed journal is not the one beside it."""
        self._damage: str | None = None
        """A sentence about the damage in the resumed journal; None if there is none."""
        self._size_warning = SizeWarning(session, results)
        self._pytest_session: pytest.Session | None = None

    # The methods of the session's store of trials

    def take(self, found: MeasuredItem) -> EndedTrial | None:
        """Return the trial as it was measured earlier, once; None if it has to be measured now."""
        earlier = self._earlier.pop(found.key, None)
        # The axes of the test may have changed since the journal was written.
        return None if earlier is None else replace(earlier, axes=found.axes)

    def holds(self, found: MeasuredItem) -> bool:
        """Return whether ``take`` returns the trial."""
        return found.key in self._earlier

    def keep_for_its_test(self, ended: EndedTrial) -> None:
        self._unwritten.append(ended)
        self._earlier[ended.key] = ended

    def keep(self, ended: EndedTrial) -> None:
        """Write down a trial that was measured now, and the one that waits for it: no signal comes between the two."""
        measured, self._unwritten = [*self._unwritten, ended], []
        if self._journal is not None:
            with self._signals.deferred():
                for each in measured:
                    self._journal.add(each)
                    if self._parts is not None:
                        self._parts.settle(each)
        for each in measured:
            self._size_warning.add(each)

    def keep_phase(self, ended: EndedTrial) -> None:
        if self._journal is not None:
            with self._signals.deferred():
                self._journal.add(ended)

    def kept_parts(self, found: MeasuredItem, phase: str) -> KeptParts | None:
        return None if self._parts is None else self._parts.kept(found.key, phase)

    def keep_part(self, found: MeasuredItem, started_at: str, part: EndedPart) -> None:
        if self._parts is not None:
            with self._signals.deferred():
                self._parts.keep(found.key, started_at, part)
            self.budget.refuse_if_spent(found, f"ended after {printable(part.text)}")

    def continued(self, ended: EndedTrial) -> EndedTrial:
        return ended if self._parts is None else self._parts.continued(ended)

    def is_spent(self) -> bool:
        return self.budget.is_spent

    def begin(self, found: MeasuredItem) -> None:
        """Skip a trial for which the budget does not suffice."""
        self.budget.refuse_if_spent(found, "not run")

    # The hooks of the plugin

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Open the journal, and handle signals from now on."""
        self._pytest_session = session
        if not self._session.is_measuring:
            if self._session.settings.resume is not None and not self._config.getoption("collectonly"):
                raise pytest.UsageError(
                    "--throughput-resume: this run measures nothing; repeat the interrupted command"
                )
            return
        self._signals.catch()
        with self._signals.deferred():
            if self._results.path is not None:
                refuse_what_cannot_be_written(self._results.path)
            self._session.devices.refuse_locks_that_cannot_be_had()
            try:
                self._open_journal()
            except InUse as error:
                raise pytest.UsageError(
                    f"{error}; wait until it has, or give another --benchmark-json, so that no trial is lost"
                ) from None
            self._results.may_be_written = True
        self._session.trial_store = self
        self.budget.start()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self) -> Iterator[Any]:
        """Defer signals once the loop has ended: an exception would leave the results half written."""
        try:
            return (yield)
        finally:
            self._signals.defer()

    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self) -> None:
        """Defer signals after an interruption before the loop."""
        self._signals.defer()

    @pytest.hookimpl(tryfirst=True)
    def pytest_internalerror(self) -> None:
        """Defer signals after another plugin's hook has ended the run."""
        self._signals.defer()

    def _settings_of_measuring(self) -> dict[str, Any]:
        """Return the settings on which a figure depends, those of the suite included where it has any."""
        found = self._config.hook.pytest_throughput_settings(config=self._config)
        of_suite = {name: value for settings in found for name, value in settings.items()}
        return {**of_suite, **self._session.settings.of_measuring}

    def _open_journal(self) -> None:
        arguments = tuple(map(str, self._config.invocation_params.args))
        heading = Heading(fingerprint(self._session), self._settings_of_measuring(), arguments)
        path = journal_path(self._results.path, self._config.rootpath)
        if self._session.settings.resume is not None:
            # Imported here: most runs resume nothing, and need not wait for the import of the validating modules.
            from pytest_throughput.run.resume import resume

            items = (*self._session.items.values(), *self._session.confirmation_items.values())
            resumed = resume(self._session.settings.resume, heading, {found.key for found in items})
            self._journal, self._damage = resumed.journal, resumed.damage
            self._earlier, self._resumed = dict(resumed.trials), len(resumed.trials)
            self._size_warning.note(self._earlier.values())
            self._parts = PartsStore(self._journal, resumed.started)
            if self._results.path is not None and not is_same(path, self._journal.path):
                # The journal beside the JSON is locked in place of the JSON, which no other run may write meanwhile.
                with suppress(OSError):
                    self._claim = OwnedFile.create(path)
        else:
            self._journal = Journal(path, heading)
            if self._journal.problem is not None and self._results.path is not None:
                # The results go to the same folder, so the problem is reported before an hour of measuring.
                problem = self._journal.problem
                self._journal.remove()
                self._journal = None
                raise pytest.UsageError(f"--benchmark-json: {problem}; give a writable folder")
            self._parts = PartsStore(self._journal, {})

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Skip a trial that the budget no longer allows, unless an earlier run has measured it.

        Which phase of a job a test takes is known only when it measures, which asks again.
        """
        found = self._session.items.get(item.nodeid)
        if found is not None and found.key not in self._earlier and not self._session.jobs.have_phases_left:
            self.begin(found)

    @pytest.hookimpl(trylast=True)  # By now it is known whether the results were written.
    def pytest_sessionfinish(self) -> None:
        self._settle_journal()

    @property
    def _may_go_on(self) -> bool:
        """Whether a later run can go on with a trial that has ended badly: a training that was cut short."""
        return self._parts is not None and not self._parts.is_empty

    @property
    def _is_done(self) -> bool:
        """Whether no later run has anything to do."""
        return self._session.ledger.is_complete and not self._may_go_on and self._results.problem is None

    def _settle_journal(self) -> None:
        if self._is_settled:
            return
        self._is_settled = True
        if self._claim is not None:
            self._claim.remove()
        if self._journal is None:
            return
        self._results.note_if_gone()
        if self._is_done:
            self._journal.remove()
        else:
            self._journal.close()
            self._is_left = self._journal.path.exists()

    @pytest.hookimpl(trylast=True)  # These lines follow the messages about problems.
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._resumed:
            trials = "1 trial is" if self._resumed == 1 else f"{self._resumed} trials are"
            show(terminalreporter, f"{trials} from the journal of the interrupted run")
        if self._parts is not None and self._parts.continued_trials:
            trials = count(self._parts.continued_trials, "trial")
            show(terminalreporter, f"{trials} went on after what the interrupted run had saved")
        if self._damage is not None:
            show(terminalreporter, f"{self._damage}; such a trial was measured again", red=True)
        for lost in () if self._parts is None else self._parts.lost:
            case, part = printable(lost.case_id), printable(lost.part.text)
            show(terminalreporter, f"{case} began anew: the file with its state after {part} is gone", red=True)
        self._show_how_to_go_on(terminalreporter)

    def _show_how_to_go_on(self, reporter: pytest.TerminalReporter) -> None:
        if self._has_shown_how_to_go_on:
            return
        self._has_shown_how_to_go_on = True
        if self._journal is None or self._is_done:
            return
        if self._journal.problem is not None:
            show(reporter, printable(self._journal.problem), red=True)
        if self._is_left:
            all_there = self._session.ledger.is_complete and not self._may_go_on and self._journal.problem is None
            verb = "write the results" if all_there else "go on"
            path = shlex.quote(printable(str(self._journal.path)))
            show(reporter, f"to {verb}, repeat the command with --throughput-resume={path}")

    @pytest.hookimpl(trylast=True)  # The hooks of other plugins here can be interrupted, too.
    def pytest_unconfigure(self) -> None:
        if not self._is_settled:  # Another plugin's hook has raised an error while results were written.
            self._results.note_if_missing(RuntimeError("another plugin has ended the run"))
            self._settle_journal()
        # pytest shows no summary after an internal error, or after pytest.exit with a status.
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            self._show_how_to_go_on(reporter)
        for file in (self._journal, self._claim):
            if file is not None:
                file.close()
        if self._signals.noted is not None and self._pytest_session is not None:
            self._pytest_session.exitstatus = pytest.ExitCode.INTERRUPTED
            self._show(f"{signal.Signals(self._signals.noted).name} was received; {self._what_is_there()}")
        self._signals.release()

    def _what_is_there(self) -> str:
        if self._is_left:
            return "what was measured is in the journal"
        if self._results.is_written:
            return f"everything had been measured, and is in {printable(str(self._results.path))}"
        return "everything had been measured"

    def _show(self, text: str) -> None:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            show(reporter, text)
