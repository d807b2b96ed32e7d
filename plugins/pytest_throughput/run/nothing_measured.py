"""The exit status of a run that was meant to measure and has measured nothing."""

from __future__ import annotations

from collections import Counter

import pytest

from pytest_throughput.exit_code import ExitCode
from pytest_throughput.run.output import show
from pytest_throughput.run.session import ThroughputSession
from pytest_throughput.text import printable

__all__ = ["NothingMeasured"]


_REASONS_SHOWN = 3
_MEND = (
    "mend what the reasons name, or ask for other cases; "
    "--benchmark-disable runs the steps without measuring, --benchmark-skip leaves them out"
)


class NothingMeasured:
    """The hooks that give such a run its exit status. The cause is usually a mistake, such as a missing GPU."""

    def __init__(self, session: ThroughputSession) -> None:
        self._session = session
        self._is_alone = False
        """Whether every collected test measures."""
        self._is_status = False
        """Whether this is the reason for the exit status of the run."""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._is_alone = len(self._session.items) == len(session.items)

    @pytest.hookimpl(trylast=True)  # Registered after the gate, whose statuses come first.
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._is_alone and self._has_nothing and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = ExitCode.NOTHING_MEASURED
            self._is_status = True

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, exitstatus: int) -> None:
        if not self._has_nothing or exitstatus != pytest.ExitCode.OK:
            return
        first, *others = self._reasons()
        heading = f"nothing was measured: no case ended ok or out_of_memory; {first}"
        if not self._is_alone:
            show(terminalreporter, heading, red=True)
            return
        status = f"exit status {ExitCode.NOTHING_MEASURED}: " if self._is_status else ""
        show(terminalreporter, "\n".join((heading, *others, status + _MEND)), red=True)

    @property
    def _has_nothing(self) -> bool:
        return self._session.is_measuring and not {"ok", "out_of_memory"} & self._session.ledger.statuses

    def _reasons(self) -> list[str]:
        """Return the most frequent reasons, each with the number of its cases."""
        counts = Counter((case.status or "not run", case.reason) for case in self._session.ledger.result().cases)
        return [
            f"{count} {'case' if count == 1 else 'cases'} {status}: {printable(reason or 'no reason is known')}"
            for (status, reason), count in counts.most_common(_REASONS_SHOWN)
        ]
