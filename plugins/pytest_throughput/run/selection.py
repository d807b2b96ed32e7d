"""Make the selection of tests select whole cases, each with all of its trials.

The node id of a first trial, ``-k``, ``-m``, ``--deselect`` and other plugins select cases. The node id of a later
trial selects only that trial, and ``--lf``, ``--ff`` and ``--stepwise`` select single trials.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from pytest_throughput.options.settings import Settings
from pytest_throughput.run.collection import in_order, measured

__all__ = ["Selection"]

_LATER = pytest.StashKey[list[pytest.Item]]()
"""The key for the tests of the later trials in the stash of a first trial's test."""


class Selection:
    """The hooks that keep trials of a case together, and put the tests in the order of the run."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @pytest.hookimpl(wrapper=True)
    def pytest_pycollect_makeitem(self) -> Iterator[None]:
        """Note the later trials of each case, before a node id selects one of them."""
        found: Any = yield
        if self._settings.trials == 1 or not isinstance(found, list):
            return found  # type: ignore[no-any-return]
        ours = [each for one in found if (each := measured(one, self._settings))]
        later: dict[str, list[pytest.Item]] = defaultdict(list)
        for each in ours:
            if 1 < each.trial <= self._settings.trials:  # The gate alone runs confirmation trials.
                later[each.first].append(each.item)
        for each in ours:
            if each.trial == 1:
                each.item.stash[_LATER] = later[each.first]
        return found  # type: ignore[return-value]

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Iterator[None]:
        """Add the later trials of the tests that were asked for by their node ids."""
        report: Any = yield
        if isinstance(collector, pytest.Session):
            asked = {node.nodeid for node in report.result}
            report.result = [
                each
                for node in report.result
                for each in (node, *(item for item in node.stash.get(_LATER, ()) if item.nodeid not in asked))
            ]
        return report  # type: ignore[no-any-return]

    # This is the innermost wrapper: it surrounds every hook that selects tests, but not those of --lf and --ff.
    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
        """Hold later trials back while tests are selected, and then keep those whose first trial is kept."""
        if config.getoption("stepwise", False):  # It leaves out the tests before the one that failed.
            items[:] = in_order(items, self._settings)
            return (yield)
        named = tuple(config.getoption("deselect") or ())
        chosen = set(items)
        held = {
            first: [item for item in first.stash[_LATER] if item in chosen and not item.nodeid.startswith(named)]
            for first in items
            if _LATER in first.stash
        }
        later = {item for trials in held.values() for item in trials}
        items[:] = [item for item in items if item not in later]
        done = yield
        items[:] = in_order([each for item in items for each in (item, *held.pop(item, ()))], self._settings)
        gone = [item for trials in held.values() for item in trials]
        if gone:
            config.hook.pytest_deselected(items=gone)
        return done
