"""Show progress while cases are measured, and the table at the end."""

from __future__ import annotations

from contextlib import nullcontext, suppress

import pytest

from pytest_throughput.report.console import output_columns
from pytest_throughput.report.overview import overview
from pytest_throughput.report.progress import Progress, summary_of
from pytest_throughput.results.ended_trial import EndedTrial
from pytest_throughput.run.collection import MeasuredItem
from pytest_throughput.run.output import encodable, show
from pytest_throughput.run.result import run_result
from pytest_throughput.run.session import ThroughputSession
from pytest_throughput.text import printable

__all__ = ["Terminal"]


class Terminal:
    """The hooks of the terminal, in a run that measures something."""

    def __init__(self, config: pytest.Config, session: ThroughputSession, *, alone: bool) -> None:
        """Show progress by lines of its own if every test of the run measures (``alone``)."""
        self._config = config
        self._session = session
        self._summaries: dict[str, str] = {}
        self._progress: Progress | None = None
        reporter: pytest.TerminalReporter | None = config.pluginmanager.get_plugin("terminalreporter")
        # pytest-benchmark interprets its option in the same way.
        self._is_quiet = config.getoption("benchmark_quiet") and not config.getoption("benchmark_verbose")
        if reporter is None or not reporter.isatty or config.get_verbosity() != 0 or self._is_quiet:
            return
        if alone:
            reporter.showfspath = False
        capture = config.pluginmanager.get_plugin("capturemanager")

        def write(text: str) -> None:
            reporter.ensure_newline()
            reporter.write(encodable(text), flush=True)

        width = config.get_terminal_writer().fullwidth
        suspend = nullcontext if capture is None else capture.global_and_fixture_disabled
        self._progress = Progress(session.ledger, write, width, suspend)

    # The methods of the session's observer

    def waiting(self, name: str, holder: int | None) -> None:
        who = "another run" if holder is None else f"the run of process {holder}"
        number = name.removeprefix("cpu-")
        what = f"processor {int(number)}" if name != number and number.isdecimal() else printable(name)
        self.warn(f"waiting for {who}, which measures on {what} (--throughput-lock=off does not wait)")

    def warn(self, text: str) -> None:
        reporter: pytest.TerminalReporter | None = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is None:
            return
        capture = self._config.pluginmanager.get_plugin("capturemanager")
        with suppress(OSError), nullcontext() if capture is None else capture.global_and_fixture_disabled():
            reporter.ensure_newline()
            show(reporter, text)
            reporter.flush()

    def running(self, found: MeasuredItem) -> None:
        if self._progress is not None:
            self._progress.running(found.case_id)

    def progress(self, found: MeasuredItem, text: str, seconds_left: float | None) -> None:
        if self._progress is not None:
            self._progress.part(found.case_id, text, seconds_left)

    def ended(self, found: MeasuredItem, ended: EndedTrial) -> None:
        summary = summary_of(ended)
        if not self._is_quiet:
            self._summaries[found.item.nodeid] = summary
        if self._progress is not None:
            self._progress.ended(found.case_id, summary)

    def interrupted(self) -> None:
        if self._progress is not None:
            self._progress.interrupted()

    # The hooks of the plugin

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """Show nothing instead of a dot if progress has its own line, or else (with -v) the result."""
        summary = self._summaries.get(report.nodeid)
        if report.when != "call" or summary is None or hasattr(report, "wasxfail"):
            return None
        if self._progress is not None:
            return report.outcome, "", ""
        return (report.outcome, ".", f"PASSED {summary}") if report.outcome == "passed" else None

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        ledger = self._session.ledger
        if not ledger.trials_ended:
            return
        lines = [] if self._is_quiet else self._table(terminalreporter)
        if not ledger.is_complete:
            left = ledger.trials_asked - ledger.trials_ended
            lines.append(f"not complete: {left} of {ledger.trials_asked} trials were not run")
        if not self._is_quiet:
            with suppress(OSError):
                terminalreporter.write_sep("=", "throughput")
        if lines:
            show(terminalreporter, "\n".join(lines))

    def _table(self, reporter: pytest.TerminalReporter) -> list[str]:
        """Return the table with all that goes with it."""
        settings = self._session.settings
        try:
            return overview(
                run_result(self._config, self._session),
                width=output_columns(bool(reporter.isatty)),
                colour=bool(reporter.hasmarkup),
                sort=settings.sort,
                columns=settings.columns,
            )
        except Exception as error:
            # An exception in a summary hook would hide the results of every other test.
            return [f"the table could not be shown: {type(error).__name__}: {printable(str(error))}"]
