"""Trials whose tests end before they measure: they are skipped, or their fixtures fail."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from pytest_throughput.run.budget import Budget
from pytest_throughput.run.session import ThroughputSession
from pytest_throughput.worker.protocol import Outcome

__all__ = ["Unmeasured"]


class Unmeasured:
    """The hook that settles such trials, but for those that the budget leaves out, which a later run measures."""

    def __init__(self, session: ThroughputSession, budget: Budget) -> None:
        self._session = session
        self._budget = budget

    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[Any]) -> None:
        """Settle the trial with the reason."""
        found = self._session.items.get(item.nodeid)
        if found is None or not self._session.is_measuring or item.nodeid in self._budget.left_out:
            return
        if (call.excinfo is None and call.when != "call") or self._session.ledger.has_ended(*found.key):
            return
        if call.excinfo is None:
            outcome = Outcome("unsupported", reason="the test ended without measuring")
        elif call.excinfo.errisinstance((pytest.skip.Exception, pytest.xfail.Exception)):
            outcome = Outcome("unsupported", reason=str(call.excinfo.value) or "skipped")
        else:
            outcome = Outcome("failed", reason=f"before it was measured: {call.excinfo.exconly(tryshort=True)}")
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        # This is not recorded in the journal: it cost nothing, and a resumed run gets the same result.
        self._session.ledger.settle(found.ended(now, 1, outcome))
