"""One run: which cases were asked for, and how each of them is measured."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

import pytest_throughput
from pytest_throughput.launch.launcher import Launcher, Placement
from pytest_throughput.launch.lock import Locks, cpu_names
from pytest_throughput.launch.staging import StagedPath
from pytest_throughput.launch.trials import IsolatedTrials, TrialRun, refuse_endless_search
from pytest_throughput.measurement.plan import ONCE, Plan
from pytest_throughput.measurement.step import Step
from pytest_throughput.options.settings import Settings
from pytest_throughput.results.model import Ledger, TrialRecord
from pytest_throughput.results.writer import extra_info
from pytest_throughput.run import replay
from pytest_throughput.run.collection import MeasuredItem, measured
from pytest_throughput.run.observers import Observer, TrialStore
from pytest_throughput.telemetry.gpus import Gpu, find_gpu, is_device, list_gpus, visibility
from pytest_throughput.text import printable, printable_lines, shortened
from pytest_throughput.worker.protocol import Outcome, Request
from pytest_throughput.worker.trial import OnError, run_opened_step

__all__ = ["ThroughputSession"]

RunTrial = Callable[[Plan], TrialRun]

_REFUSED = "pytest_throughput_refused"
_MOST_CHARACTERS = 100_000
"""The most that a test's report shows of a traceback, or of what a worker wrote to standard error."""
_NO_XDIST = (
    "pytest-xdist is active (-n or --dist): tests that run side by side slow each other, and no figure would be worth "
    "anything; to measure, leave the option out, or say -n 0; to run each step once and measure nothing, add "
    "--benchmark-disable; to leave the measuring tests out, add --benchmark-skip"
)


class ThroughputSession:
    """The state of the plugin in one run, and the hooks that fill it. Idle in a run that measures nothing."""

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        self._config = config
        self.settings = settings
        self.ledger = Ledger()
        self.items: dict[str, MeasuredItem] = {}
        """Every test that measures, by its node id."""
        self.confirmation_items: dict[str, MeasuredItem] = {}
        """Tests that are run only if their case needs a second look, by node id."""
        self.deselected: list[str] = []
        self.devices: dict[str, None] = {}
        """Every device that was asked for, in order."""
        self.is_measuring = False
        """Whether this run is to yield figures; known after the collection."""
        self._error: Exception | None = None
        """What ended the latest trial, where a debugger is to see it."""
        self.observer: Observer | None = None
        self.trial_store: TrialStore | None = None

    # What the fixtures ask for

    def measure_isolated(
        self,
        item: pytest.Item,
        benchmark: Any,
        clock: replay.ReplayClock,
        target: str,
        arguments: Mapping[str, Any],
        *,
        items: int,
        device: str,
        interpreter: str,
        variables: Mapping[str, str],
        largest: str | None = None,
    ) -> None:
        """One trial of ``target`` in the place that the settings say.

        ``largest``: the argument whose largest value that fits is searched, and is the number of items.
        """
        __tracebackhide__ = True
        found = self._find(item)
        if not isinstance(target, str) or not all(target.partition(":")):
            raise ValueError(f"target: expected 'module:function', which a worker imports, got {target!r}")
        if not is_device(device):
            raise ValueError(f"device: expected 'cpu', 'cuda' or 'cuda:N', got {device!r}")
        if not isinstance(arguments, Mapping):
            raise TypeError(f"arguments: expected names and JSON values, as in {{'batch_size': 8}}, got {arguments!r}")
        try:
            json.dumps(dict(arguments))
        except (TypeError, ValueError) as error:
            raise TypeError(f"arguments: expected names and JSON values, which a worker can be sent: {error}") from None
        items = _at_least_one(items)
        self.devices[device] = None
        placement = Placement(
            interpreter=self.settings.interpreters.find(found.environment, interpreter),
            trial=found.trial,
            device=device,
            variables=(*visibility(device, self.gpus).items(), *variables.items()),
        )
        if largest is not None:
            refuse_endless_search(self.settings.isolation, self.settings.memory_limit_bytes, device)

        def run_trial(plan: Plan) -> TrialRun:
            request = Request(target, dict(arguments), plan, self.settings.steps_per_round)
            if largest is not None:
                return self._isolated.run_largest_batch(request, placement, largest)
            return self._isolated.run(request, placement, items)

        self._measure(found, benchmark, clock, None if largest else items, self.settings.isolation, run_trial)

    def measure_step(
        self, item: pytest.Item, benchmark: Any, clock: replay.ReplayClock, step: Step, *, items: int
    ) -> None:
        """One trial of a step that is open in this process."""
        __tracebackhide__ = True
        if not callable(step.run):
            raise TypeError(f"step: expected a function without arguments, got {step.run!r}")
        items = _at_least_one(items)

        def run_trial(plan: Plan) -> TrialRun:
            return TrialRun(run_opened_step(step, plan, self.settings.steps_per_round, self._on_error), "", items)

        self._measure(self._find(item), benchmark, clock, items, "none", run_trial)

    def _find(self, item: pytest.Item) -> MeasuredItem:
        __tracebackhide__ = True
        if item.nodeid not in self.items:
            raise pytest.UsageError(
                "measure_step and measure_isolated have to be named among a test's parameters: "
                "the cases of a run are known before it begins"
            )
        return self.items[item.nodeid]

    def _measure(
        self,
        found: MeasuredItem,
        benchmark: Any,
        clock: replay.ReplayClock,
        items: int | None,
        isolation: str,
        run_trial: RunTrial,
    ) -> None:
        """``items``: None where only the trial tells."""
        __tracebackhide__ = True
        clock.use(benchmark)
        self._error = None
        if benchmark.disabled:
            replay.commit_disabled(benchmark)
            outcome, stderr, _ = run_trial(ONCE)
            _report(found.item, outcome, stderr, self._error)
            return
        record = None if self.trial_store is None else self.trial_store.take(found)
        stderr = ""
        if record is None or items not in (record.items, None):
            try:
                record, stderr = self._measure_now(found, items, isolation, run_trial)
            except pytest.skip.Exception:
                replay.commit_nothing(benchmark, clock)
                raise
        self._settle(found, benchmark, clock, record)
        _report(found.item, record.outcome, stderr, self._error)

    @cached_property
    def _on_error(self) -> OnError | None:
        """What keeps the error of a trial in this process, so that --pdb stops where it was raised."""

        def keep(error: Exception) -> None:
            self._error = error

        return keep if self._config.getoption("usepdb", False) else None

    def _measure_now(
        self, found: MeasuredItem, items: int | None, isolation: str, run_trial: RunTrial
    ) -> tuple[TrialRecord, str]:
        self._have_to_ourselves(found)
        started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        if self.observer is not None:
            self.observer.running(found)
        try:
            outcome, stderr, worked_through = run_trial(self.settings.plan)
        except (KeyboardInterrupt, pytest.exit.Exception):
            if self.observer is not None:
                self.observer.interrupted()
            raise
        except BaseException as error:
            # Such as pytest-timeout's, or a step's sys.exit(): whoever ended the trial, it has ended.
            ended = f"sys.exit({error.code!r})" if isinstance(error, SystemExit) else str(error).strip()
            message = ended or type(error).__name__
            outcome = Outcome("timed_out" if "pytest-timeout" in message else "failed", reason=message)
            stderr, worked_through = "", items or 1
        record = TrialRecord(found.trial, started_at, worked_through, self._with_settings(outcome, isolation))
        if self.trial_store is not None:
            self.trial_store.keep(found, record)
        return record, stderr

    def _settle(self, found: MeasuredItem, benchmark: Any, clock: replay.ReplayClock, record: TrialRecord) -> None:
        case = self.ledger.settle(found.case_id, found.environment, record)
        if self.observer is not None:
            self.observer.ended(found, case, record)
        measurement = record.measurement
        if measurement is None:
            replay.commit_nothing(benchmark, clock)
        else:
            replay.commit(benchmark, clock, measurement.round_seconds, measurement.steps_per_round)
            benchmark.extra_info.update(extra_info(case, record, measurement))

    def _with_settings(self, outcome: Outcome, isolation: str) -> Outcome:
        if outcome.measurement is None:
            return outcome
        settings = {
            "isolation": isolation,
            "protocol": self.settings.plan.name,
            # In this process nobody sets them, unless the step does and says so.
            "threads": None if isolation == "none" else self.settings.threads,
            "steps_per_round": outcome.measurement.steps_per_round,
            "pipelining": outcome.measurement.pipelining,
            "warm_up_steps": outcome.measurement.warm_up_steps,
            **outcome.metadata.get("settings", {}),
        }
        return replace(outcome, metadata={**outcome.metadata, "settings": settings})

    @cached_property
    def gpus(self) -> list[Gpu]:
        """The machine's NVIDIA GPUs."""
        return list_gpus()

    @cached_property
    def _staged(self) -> StagedPath:
        found = self._config.hook.pytest_throughput_packages(config=self._config)
        own = Path(pytest_throughput.__file__).parent
        return StagedPath([own, *(package for packages in found for package in packages)])

    @cached_property
    def _launcher(self) -> Launcher:
        return Launcher(
            isolation=self.settings.isolation,
            staged=self._staged,
            pythonpath=self.settings.pythonpath,
            threads=self.settings.threads,
            timeout_seconds=self.settings.timeout_seconds,
            memory_limit_bytes=self.settings.memory_limit_bytes,
            on_error=self._on_error,
        )

    @cached_property
    def _isolated(self) -> IsolatedTrials:
        return IsolatedTrials(self._launcher, self.gpus, self.settings.peak_tflops)

    def _have_to_ourselves(self, found: MeasuredItem) -> None:
        """Wait for other runs on the same devices. End the test where the budget is spent by then."""
        if not self.settings.lock:
            return
        trial_store = self.trial_store
        give_up = None if trial_store is None or self.settings.budget_seconds is None else trial_store.is_spent
        try:
            self._locks.hold(self._lock_names(), give_up)
        except TimeoutError:
            self._locks.release()
        except OSError as error:
            pytest.fail(f"--throughput-lock: {error}; --throughput-lock=off neither waits nor locks", pytrace=False)
        if trial_store is not None:
            trial_store.begin(found)

    def refuse_locks_that_cannot_be_had(self) -> None:
        """Raise pytest.UsageError: before the first case, not in each of them."""
        if not self.settings.lock:
            return
        try:
            # A test that names no device in its parameters says it only when it measures.
            self._locks.check(self._lock_names() if self.devices else ())
        except OSError as error:
            raise pytest.UsageError(
                f"--throughput-lock: {error}; --throughput-lock=off waits for no other run, whose work may then "
                "slow this one"
            ) from None

    def _lock_names(self) -> list[str]:
        names: list[str] = []
        for device in self.devices or ("cpu",):
            gpu = find_gpu(device, self.gpus)
            if gpu is not None:
                names.append(gpu.uuid)
            elif device == "cpu":
                names += cpu_names()
            else:
                # Such as a MIG instance, which NVML does not list.
                shown = visibility(device, self.gpus)["CUDA_VISIBLE_DEVICES"] or device
                names.append("cuda-" + re.sub(r"[^A-Za-z0-9-]", "-", shown))
        return names

    @cached_property
    def _locks(self) -> Locks:
        def waiting(name: str, holder: int | None) -> None:
            if self.observer is not None:
                self.observer.waiting(name, holder)

        return Locks(waiting)

    # Collection

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        self.deselected += [found.case_id for item in items if (found := measured(item, self.settings))]

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Notes every case that is asked for, and refuses what would make them worthless."""
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
            self.items[item.nodeid] = found
            self.ledger.ask(found.case_id, found.environment, found.trial, found.axes)
            if is_device(label := str(found.axes.get("device"))):
                self.devices[label] = None
        if self.items and self._runs_steps():
            self.settings.refuse_missing_interpreters()
            if self._yields_figures():
                self._refuse_what_cannot_be_measured()
                self.is_measuring = True

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
        """Ends a run of pytest-xdist whose workers found tests that measure."""
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

    def pytest_unconfigure(self) -> None:
        """Buries the last worker, and removes its folder."""
        if "_conductor" in self.__dict__:
            self._launcher.close()
            self._staged.remove()
        if "_isolated" in self.__dict__:
            self._isolated.close()
        if "_locks" in self.__dict__:
            self._locks.release()


def _at_least_one(items: int) -> int:
    """Return the number of items as Python's int: NumPy's, which a loop may give, is none of JSON."""
    __tracebackhide__ = True
    with suppress(TypeError):
        if (number := operator.index(items)) >= 1:
            return number
    raise ValueError(f"items: expected a whole number of at least 1, got {items!r}")


def _report(item: pytest.Item, outcome: Outcome, stderr: str, error: Exception | None) -> None:
    """End the test as the outcome says. ``error``: what ended a trial in this process, for a debugger."""
    __tracebackhide__ = True
    if stderr:
        item.add_report_section("call", "worker stderr", printable_lines(shortened(stderr, _MOST_CHARACTERS)))
    reason = printable(outcome.reason or "")
    if outcome.status in ("unsupported", "out_of_memory"):
        pytest.skip(f"{outcome.status}: {reason}")
    if outcome.status == "failed" and error is not None:
        raise error
    if outcome.status != "ok":
        # pytest itself says "Failed: ".
        message = reason if outcome.status == "failed" and reason else f"{outcome.status}: {reason}"
        details = printable_lines(shortened(outcome.details or "", _MOST_CHARACTERS))
        pytest.fail("\n".join([message, details]).strip(), pytrace=False)
