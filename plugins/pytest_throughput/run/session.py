"""The state of one run: the cases that it was asked for, its devices, and its observers."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from pytest_throughput.launch.interpreters import EVERY
from pytest_throughput.options.settings import Settings
from pytest_throughput.results.ledger import Ledger
from pytest_throughput.run.collection import MeasuredItem, measured
from pytest_throughput.run.devices import Devices
from pytest_throughput.run.jobs import Jobs
from pytest_throughput.run.observers import Observer, TrialStore
from pytest_throughput.run.targets import target_of
from pytest_throughput.run.traces import Traces
from pytest_throughput.telemetry.gpus import is_device

__all__ = ["ThroughputSession"]

_REFUSED = "pytest_throughput_refused"
_NO_XDIST = (
    "pytest-xdist is active (-n or --dist): tests that run side by side slow each other, and no figure would be worth "
    "anything; to measure, leave the option out, or say -n 0; to run each step once and measure nothing, add "
    "--benchmark-disable; to leave the measuring tests out, add --benchmark-skip"
)


class ThroughputSession:
    """The state of the plugin in one run, and the hooks that fill it. It is idle in a run that measures nothing."""

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        self._config = config
        self.settings = settings
        self.ledger = Ledger()
        self.items: dict[str, MeasuredItem] = {}
        """Every test that measures, by its node id."""
        self.confirmation_items: dict[str, MeasuredItem] = {}
        """Tests that are run only if their case needs confirmation, by node id."""
        self.deselected: list[str] = []
        self._interpreter_names: set[str] = set()
        """The names of the interpreters that the collected tests ask for, as far as their markers say so."""
        self.jobs = Jobs()
        self.devices = Devices(lock=settings.lock, waiting=self._waiting)
        self.traces = Traces(config, settings.profiled_steps)
        self.is_measuring = False
        """Whether this run measures; known after the collection."""
        self.observer: Observer | None = None
        self.trial_store: TrialStore | None = None

    def _waiting(self, name: str, holder: int | None) -> None:
        if self.observer is not None:
            self.observer.waiting(name, holder)

    def pytest_report_header(self) -> str | None:
        """Say for which frameworks there is an anchor. Its command may hold a secret, and many can read a log."""
        names = ["every framework" if name == EVERY else name for name in self.settings.anchors.commands]
        return f"throughput anchor: for {', '.join(names)}" if names else None

    def was_measured(self, found: MeasuredItem) -> bool:
        """Return whether the trial of a test has ended in this run, or is in the journal that it resumes."""
        held = self.trial_store is not None and self.trial_store.holds(found)
        return held or self.ledger.has_ended(*found.key)

    # Collection

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        self.deselected += [found.case_id for item in items if (found := measured(item, self.settings))]

    @pytest.hookimpl(wrapper=True)
    def pytest_collection_finish(self, session: pytest.Session) -> Iterator[Any]:
        """Note, before all other hooks, every case that is asked for.

        Refuse options that would make its figures worthless.
        """
        by_trial: dict[tuple[str, str, int], MeasuredItem] = {}
        for item in session.items:
            found = measured(item, self.settings)
            if found is None:
                continue
            same = by_trial.setdefault((found.case_id, found.environment, found.trial), found)
            if same is not found:
                raise pytest.UsageError(
                    f"{item.nodeid} and {same.item.nodeid} measure the same trial of {found.case_id}; "
                    "to repeat a case, use --throughput-trials"
                )
            alike = self.items.get(item.nodeid) or self.confirmation_items.get(item.nodeid)
            if alike is not None:
                raise pytest.UsageError(
                    f"{item.nodeid} is the node id of trial {alike.trial} of {alike.case_id} and of trial "
                    f"{found.trial} of {found.case_id}: give the parameter of one of them another id"
                )
            target = target_of(item)  # A wrong marker is refused before anything is measured.
            if target is not None:
                self._interpreter_names.add(target.interpreter)
            self.items[item.nodeid] = found
            self.ledger.ask(found.case_id, found.environment, found.trial, found.axes)
            if is_device(label := str(found.axes.get("device"))):
                self.devices.add(label)
        if self.items and self._runs_steps():
            self.settings.refuse_missing_interpreters()
            if self._yields_figures():
                self._refuse_what_cannot_be_measured()
                self.is_measuring = True
        return (yield)

    def pytest_report_collectionfinish(self) -> list[str]:
        """Name the interpreters that nobody has given and that this run uses."""
        interpreters = self.settings.interpreters
        return [
            f"throughput interpreter: {each.name} is {shlex.join(each.command)}"
            for each in interpreters.found
            if each.name in self._interpreter_names
            and any(interpreters.find(environment, each.name) == each for environment in interpreters.environments)
        ]

    def _refuse_what_cannot_be_measured(self) -> None:
        if hasattr(self._config, "workerinput"):
            self._config.workeroutput[_REFUSED] = True  # type: ignore[attr-defined]
            raise pytest.UsageError(_NO_XDIST)
        if self._config.getoption("benchmark_cprofile") is not None:
            raise pytest.UsageError(
                "--benchmark-cprofile would profile the replay of samples, not the step that gave them; leave it out"
            )

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """End a run of pytest-xdist whose workers found tests that measure."""
        if getattr(node, "workeroutput", {}).get(_REFUSED):
            raise pytest.UsageError(_NO_XDIST)

    def _runs_steps(self) -> bool:
        option = self._config.getoption
        # --setup-plan implies --setup-only. --fixtures and --fixtures-per-test collect, and run no test.
        if any(option(name, False) for name in ("collectonly", "setuponly", "showfixtures", "show_fixtures_per_test")):
            return False
        if not self._config.pluginmanager.has_plugin("pytest-benchmark"):
            raise pytest.UsageError("measuring needs pytest-benchmark, which -p no:benchmark has switched off")
        return not (option("benchmark_skip") and not option("benchmark_only"))

    def _yields_figures(self) -> bool:
        option = self._config.getoption
        return not (option("benchmark_disable") and not option("benchmark_enable"))
