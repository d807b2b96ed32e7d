"""What keeps a run's results through whatever ends it: the journal, going on with one, the budget, the signals."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from pytest_throughput.interruption import Signals
from pytest_throughput.isolation.protocol import Outcome
from pytest_throughput.items import MeasuredItem
from pytest_throughput.reporting import tell
from pytest_throughput.results import Results, fingerprint, move_away
from pytest_throughput.session import ThroughputSession
from pytest_throughput.throughput.journal import Entry, Heading, Journal, read_journal
from pytest_throughput.throughput.ledger import TrialRecord
from pytest_throughput.throughput.text import duration, printable
from pytest_throughput.throughput.untrusted import Unreadable

__all__ = ["Recovery"]

_SUFFIX = ".journal.jsonl"
_FOLDER = ".throughput"

Key = tuple[str, str, int]


class Recovery:
    """The hooks of a run that measures, and the session's keeper of trials."""

    def __init__(self, config: pytest.Config, session: ThroughputSession, results: Results) -> None:
        self._config = config
        self._session = session
        self._results = results
        self._signals = Signals()
        self._journal: Journal | None = None
        self._earlier: dict[Key, TrialRecord] = {}
        """Trials of the resumed journal that have not come up yet."""
        self._resumed = 0
        """How many trials the resumed journal held."""
        self._deadline: float | None = None
        self._left_out: set[str] = set()
        """Tests, by their node id, for which the budget did not suffice."""
        self._is_left = False
        """Whether there is a journal to go on with."""

    # As the session's keeper

    def take(self, found: MeasuredItem) -> TrialRecord | None:
        """The trial as an earlier run has measured it, once; None if it has to be measured now."""
        return self._earlier.pop(_key(found), None)

    def keep(self, found: MeasuredItem, record: TrialRecord) -> None:
        """Writes down a trial that was measured now."""
        if self._journal is not None:
            self._journal.add(Entry(found.case_id, found.environment, found.labels, record))

    # As a plugin

    def pytest_collection_finish(self) -> None:
        """Opens the journal, before a result file of that name is moved away."""
        if not self._session.is_measuring:
            if self._session.settings.resume is not None and not self._config.getoption("collectonly"):
                raise pytest.UsageError(
                    "--throughput-resume: this run measures nothing; repeat the interrupted command"
                )
            return
        self._results.refuse_what_cannot_be_written()
        arguments = tuple(map(str, self._config.invocation_params.args))
        heading = Heading(fingerprint(self._session), self._session.settings.of_measuring, arguments)
        if self._session.settings.resume is not None:
            self._journal = self._go_on(self._session.settings.resume, heading)
        else:
            path = self._path()
            # Of an interrupted run, and for somebody perhaps the only copy.
            move_away(path)
            self._journal = Journal(path, heading)
            if self._journal.problem is not None and self._results.path is not None:
                # The results would be written to the same folder: said before an hour of measuring, not after it.
                raise pytest.UsageError(f"--benchmark-json: {self._journal.problem}; give a writable folder")
        self._session.keeper = self
        if self._session.settings.budget_seconds is not None:
            self._deadline = monotonic() + self._session.settings.budget_seconds
        self._signals.catch()

    def _path(self) -> Path:
        json = self._results.path
        if json is not None and (json.is_file() or not json.exists()):
            return json.with_name(json.name + _SUFFIX)
        with suppress(OSError):  # The journal then says that it cannot be written.
            (self._config.rootpath / _FOLDER).mkdir(exist_ok=True)
        now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        return self._config.rootpath / _FOLDER / f"{now}-{os.getpid()}{_SUFFIX}"

    def _go_on(self, path: Path, heading: Heading) -> Journal:
        try:
            read = read_journal(path)
        except Unreadable as error:
            raise pytest.UsageError(f"--throughput-resume: {error}") from None
        command = printable(" ".join(read.heading.command))
        both = read.heading, heading
        for what, (then, now) in {
            "hardware": [each.fingerprint for each in both],
            "settings": [each.settings for each in both],
        }.items():
            if then != now:
                raise pytest.UsageError(
                    f"--throughput-resume: {printable(str(path))} was measured with other {what} "
                    f"({_difference(then, now)}), and one result does not mix them; its arguments were: {command}"
                )
        entries = {entry.key: entry.record for entry in read.entries}
        asked = {_key(found) for found in (*self._session.items.values(), *self._session.reserve.values())}
        strangers = [key for key in entries if key not in asked]
        if strangers:
            case_id, environment, trial = strangers[0]
            raise pytest.UsageError(
                f"--throughput-resume: {printable(str(path))} holds {len(strangers)} of {len(entries)} trials that "
                f"this run does not ask for, such as trial {trial} of {printable(case_id)} ({printable(environment)}); "
                f"give the same tests and options again, which were: {command}"
            )
        self._earlier = entries
        self._resumed = len(entries)
        return Journal(path, None, length=read.length)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Leaves out what the budget no longer allows. What has been measured already costs none."""
        found = self._session.items.get(item.nodeid)
        if found is None or self._deadline is None or _key(found) in self._earlier:
            return
        if monotonic() >= self._deadline:
            self._left_out.add(item.nodeid)
            budget = duration(self._session.settings.budget_seconds)
            pytest.skip(f"not run: --throughput-budget of {budget} is spent")

    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[Any]) -> None:
        """Settles a case whose test ended before it measured: skipped, or its fixtures broke. It is not left to run."""
        found = self._session.items.get(item.nodeid)
        if found is None or not self._session.is_measuring or item.nodeid in self._left_out:
            return
        if (call.excinfo is None and call.when != "call") or self._session.ledger.has_ended(*_key(found)):
            return
        if call.excinfo is None:
            outcome = Outcome("unsupported", reason="the test ended without measuring")
        elif call.excinfo.errisinstance((pytest.skip.Exception, pytest.xfail.Exception)):
            outcome = Outcome("unsupported", reason=str(call.excinfo.value) or "skipped")
        else:
            outcome = Outcome("failed", reason=f"before it was measured: {call.excinfo.exconly(tryshort=True)}")
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        # Not into the journal: it cost nothing, and a run that goes on has it again.
        self._session.ledger.settle(found.case_id, found.environment, TrialRecord(found.trial, now, 1, outcome))

    @pytest.hookimpl(trylast=True)  # Whether the results were written is known by now.
    def pytest_sessionfinish(self) -> None:
        if self._journal is None:
            return
        self._results.make_last()
        if self._session.ledger.is_complete and self._results.problem is None:
            self._journal.remove()
        else:
            self._journal.close()
            self._is_left = self._journal.path.exists()

    @pytest.hookimpl(trylast=True)  # After what went wrong.
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._resumed:
            tell(terminalreporter, f"{self._resumed} trials were measured by the run that this one went on with")
        if self._journal is None or (self._session.ledger.is_complete and self._results.problem is None):
            return
        if self._journal.problem is not None:
            tell(terminalreporter, printable(self._journal.problem), red=True)
        if self._is_left:
            all_there = self._session.ledger.is_complete and self._journal.problem is None
            verb = "write the results" if all_there else "go on"
            path = shlex.quote(printable(str(self._journal.path)))
            tell(terminalreporter, f"to {verb}, repeat the command with --throughput-resume={path}")

    def pytest_unconfigure(self) -> None:
        self._signals.release()
        if self._journal is not None:
            self._journal.close()


def _key(found: MeasuredItem) -> Key:
    return found.case_id, found.environment, found.trial


def _difference(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    names = [name for name in dict.fromkeys([*then, *now]) if then.get(name) != now.get(name)]
    return "; ".join(f"{_short(name)} then {_short(then.get(name))}, now {_short(now.get(name))}" for name in names)


def _short(value: object) -> str:
    return printable(str(value))[:200]
