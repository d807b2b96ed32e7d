"""One run: what was asked for, who measures it, and where the results go."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

import pytest_throughput
from pytest_throughput.isolation.conduct import conduct_opened
from pytest_throughput.isolation.conductor import Conductor, Place
from pytest_throughput.isolation.protocol import Outcome, Request
from pytest_throughput.isolation.staging import StagedPath
from pytest_throughput.items import MeasuredItem, in_order, measured
from pytest_throughput.measurement.plan import ONCE, Plan
from pytest_throughput.measurement.step import Step
from pytest_throughput.settings import Settings
from pytest_throughput.telemetry.cpu import cpu_model, usable_physical_cores
from pytest_throughput.telemetry.gpus import Gpu, find_gpu, list_gpus, visibility
from pytest_throughput.throughput import replay, table
from pytest_throughput.throughput.document import extra_info, throughput_block
from pytest_throughput.throughput.ledger import CaseRecord, Ledger, TrialRecord
from pytest_throughput.throughput.progress import Progress, summary_of
from pytest_throughput.throughput.text import printable, printable_lines

__all__ = ["NOT_WRITTEN", "ThroughputSession"]

NOT_WRITTEN = 14
"""Exit status of a run whose results could not be written."""

_TABLE_OPTIONS: dict[str, Any] = {
    "benchmark_columns": None,
    "benchmark_compare": [],
    "benchmark_compare_fail": None,
    "benchmark_group_by": "group",
    "benchmark_histogram": [],
    "benchmark_sort": "min",
    "benchmark_verbose": False,
}
"""Options of pytest-benchmark that ask for its own table, with their defaults."""
_REFUSED = "pytest_throughput_refused"
_NO_XDIST = (
    "pytest-xdist is active (-n or --dist): tests that run side by side slow each other, and no figure "
    "would be worth anything; leave the option out, or say -n 0"
)

Conduct = Callable[[Plan], tuple[Outcome, str]]


class ThroughputSession:
    """The state of the plugin in one run, and the hooks that need it. Idle in a run that measures nothing."""

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        self._config = config
        self.settings = settings
        self._ledger = Ledger()
        self._items: dict[str, MeasuredItem] = {}
        self._deselected: list[str] = []
        self._summaries: dict[str, str] = {}
        self._progress: Progress | None = None
        self._write_error: str | None = None

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
    ) -> None:
        """One trial of ``target`` in the place that the settings say."""
        found = self._items[item.nodeid]
        place = Place(
            interpreter=self.settings.interpreters.find(found.environment, interpreter),
            trial=found.trial,
            variables=tuple(visibility(device, self.gpus).items()),
        )

        def conduct(plan: Plan) -> tuple[Outcome, str]:
            own_process = self.settings.isolation == "trial"
            request = Request(target, dict(arguments), plan, self.settings.steps_per_round, own_process)
            return self._conductor.conduct(request, place)

        self._measure(found, benchmark, clock, items, self.settings.isolation, conduct)

    def measure_step(
        self, item: pytest.Item, benchmark: Any, clock: replay.ReplayClock, step: Step, *, items: int
    ) -> None:
        """One trial of a step that is open in this process."""

        def conduct(plan: Plan) -> tuple[Outcome, str]:
            return conduct_opened(step, plan, self.settings.steps_per_round), ""

        self._measure(self._items[item.nodeid], benchmark, clock, items, "none", conduct)

    def _measure(
        self,
        found: MeasuredItem,
        benchmark: Any,
        clock: replay.ReplayClock,
        items: int,
        isolation: str,
        conduct: Conduct,
    ) -> None:
        started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        if benchmark.disabled:
            outcome, stderr = conduct(ONCE)
            benchmark.pedantic(lambda: None)
            _report(found.item, outcome, stderr)
            return
        if self._progress is not None:
            self._progress.running(found.case_id)
        try:
            outcome, stderr = conduct(self.settings.plan)
        except BaseException:
            if self._progress is not None:
                self._progress.interrupted()
            raise
        outcome = self._with_settings(outcome, isolation)
        record = TrialRecord(found.trial, started_at, items, outcome)
        case = self._ledger.settle(found.case_id, found.environment, record)
        self._announce(found, case, record)
        if outcome.measurement is None:
            replay.commit_nothing(benchmark, clock)
        else:
            measurement = outcome.measurement
            replay.commit(benchmark, clock, measurement.round_seconds, measurement.steps_per_round)
            benchmark.extra_info.update(extra_info(case, record, measurement))
        _report(found.item, outcome, stderr)

    def _with_settings(self, outcome: Outcome, isolation: str) -> Outcome:
        if outcome.measurement is None:
            return outcome
        settings = {
            **self.settings.to_json(),
            "isolation": isolation,
            "steps_per_round": outcome.measurement.steps_per_round,
            "warm_up_steps": outcome.measurement.warm_up_steps,
            **outcome.facts.get("settings", {}),
        }
        return replace(outcome, facts={**outcome.facts, "settings": settings})

    def _announce(self, found: MeasuredItem, case: CaseRecord, record: TrialRecord) -> None:
        summary = summary_of(case, record)
        self._summaries[found.item.nodeid] = summary
        if self._progress is not None:
            self._progress.ended(found.case_id, summary)

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
    def _conductor(self) -> Conductor:
        return Conductor(
            isolation=self.settings.isolation,
            staged=self._staged,
            pythonpath=self.settings.pythonpath,
            threads=self.settings.threads,
            timeout_seconds=self.settings.timeout_seconds,
        )

    # Collection

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = in_order(items, self.settings)

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        self._deselected += [found.case_id for item in items if (found := measured(item, self.settings))]

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            found = measured(item, self.settings)
            if found is not None:
                self._items[item.nodeid] = found
                self._ledger.ask(found.case_id, found.environment, found.trial, found.labels)
        if not self._items:
            return
        if hasattr(self._config, "workerinput"):
            self._config.workeroutput[_REFUSED] = True  # type: ignore[attr-defined]
            raise pytest.UsageError(_NO_XDIST)
        if self._config.getoption("benchmark_cprofile") is not None:
            raise pytest.UsageError(
                "--benchmark-cprofile would profile the replay of samples, not the step that gave them; leave it out"
            )
        if not self._config.getoption("collectonly") and self._is_enabled:
            self._move_older_json()
            self._prepare_progress(alone=len(self._items) == len(session.items))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Ends a run of pytest-xdist whose workers found tests that measure."""
        if getattr(node, "workeroutput", {}).get(_REFUSED):
            raise pytest.UsageError(_NO_XDIST)

    @property
    def _is_enabled(self) -> bool:
        """Whether samples are to be taken at all."""
        option = self._config.getoption
        disabled = option("benchmark_disable") and not option("benchmark_enable")
        return not disabled and not (option("benchmark_skip") and not option("benchmark_only"))

    def _prepare_progress(self, alone: bool) -> None:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is None or not reporter.isatty or self._config.get_verbosity() != 0:
            return
        if alone:
            reporter.showfspath = False
        capture = self._config.pluginmanager.get_plugin("capturemanager")

        def write(text: str) -> None:
            reporter.ensure_newline()
            reporter.write(text, flush=True)

        width = self._config.get_terminal_writer().fullwidth
        suspend = nullcontext if capture is None else capture.global_and_fixture_disabled
        self._progress = Progress(self._ledger, write, width, suspend)

    # Results

    @property
    def _json_path(self) -> Path | None:
        path: Path | None = self._config.getoption("benchmark_json")
        return path

    def _move_older_json(self) -> None:
        """Whatever happens now, the file of that name is this run's, or is not there."""
        path = self._json_path
        if path is not None and path.is_file():
            os.replace(path, path.with_name(path.name + ".previous"))

    def _block(self) -> dict[str, Any]:
        by_node_id = any("::" in argument for argument in self._config.args)
        return throughput_block(
            self._ledger,
            complete=self._ledger.is_complete,
            deselected=None if by_node_id else sorted(set(self._deselected)),
            fingerprint=self._fingerprint(),
        )

    def _fingerprint(self) -> dict[str, Any]:
        devices = [str(device) for device in self._ledger.label_values("device")]
        gpus = [find_gpu(device, self.gpus) for device in devices if device.startswith("cuda")]
        return {
            "cpu": {
                "model": cpu_model(),
                "cores": usable_physical_cores(),
                "threads": self.settings.threads,
            },
            "gpus": [None if gpu is None else gpu.fingerprint() for gpu in gpus],
        }

    @pytest.hookimpl(optionalhook=True)
    def pytest_benchmark_update_json(self, output_json: dict[str, Any]) -> None:
        if self._items:
            output_json["throughput"] = self._block()

    @pytest.hookimpl(optionalhook=True, wrapper=True)
    def pytest_benchmark_group_stats(self) -> Iterator[None]:
        """Folds our rows away from pytest-benchmark's table, unless an option asks for that table."""
        groups: Any = yield
        option = self._config.getoption
        if not self._items or any(option(name) != default for name, default in _TABLE_OPTIONS.items()):
            return groups  # type: ignore[no-any-return]
        folded = [(name, [row for row in rows if row["fullname"] not in self._items]) for name, rows in groups]
        return [(name, rows) for name, rows in folded if rows]  # type: ignore[return-value]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Writes the JSON where pytest-benchmark, which has had its turn, had nothing to write."""
        if "_conductor" in self.__dict__:
            self._conductor.close()
            self._staged.remove()
        path = self._json_path
        if path is None or path.exists() or not self._items or not self._is_enabled:
            return
        try:
            path.write_text(json.dumps(self._empty_document(), indent=4), encoding="ascii")
        except OSError as error:
            self._write_error = f"could not write {path}: {error.strerror}; give a writable --benchmark-json"
            if session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = NOT_WRITTEN

    def _empty_document(self) -> dict[str, Any]:
        hook, config = self._config.hook, self._config
        machine_info = hook.pytest_benchmark_generate_machine_info(config=config)
        hook.pytest_benchmark_update_machine_info(config=config, machine_info=machine_info)
        commit_info = hook.pytest_benchmark_generate_commit_info(config=config)
        hook.pytest_benchmark_update_commit_info(config=config, commit_info=commit_info)
        document: dict[str, Any] = hook.pytest_benchmark_generate_json(
            config=config, benchmarks=[], include_data=True, machine_info=machine_info, commit_info=commit_info
        )
        hook.pytest_benchmark_update_json(config=config, benchmarks=[], output_json=document)
        return document

    # Terminal

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """In place of a dot: nothing where progress has its own line, else (with -v) the result."""
        summary = self._summaries.get(report.nodeid)
        if report.when != "call" or summary is None or hasattr(report, "wasxfail"):
            return None
        if self._progress is not None:
            return report.outcome, "", ""
        return (report.outcome, ".", f"PASSED {summary}") if report.outcome == "passed" else None

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._write_error is not None:
            terminalreporter.write_line(self._write_error, red=True)
        if not self._ledger.trials_ended:
            return
        width = self._config.get_terminal_writer().fullwidth if terminalreporter.isatty else None
        terminalreporter.write_sep("=", "throughput")
        terminalreporter.write_line(self._setting())
        terminalreporter.write_line("")
        colour = bool(terminalreporter.hasmarkup)
        for line in table.render(self._ledger, width=width, colour=colour).splitlines():
            terminalreporter.write_line(line)
        for note in table.notes(self._ledger):
            terminalreporter.write_line(note)
        if not self._ledger.is_complete:
            left = self._ledger.trials_asked - self._ledger.trials_ended
            terminalreporter.write_line(f"not complete: {left} of {self._ledger.trials_asked} trials were not run")

    def _setting(self) -> str:
        fingerprint = self._fingerprint()
        gpus = [gpu["name"] if gpu else "unknown GPU" for gpu in fingerprint["gpus"]]
        threads = self.settings.threads
        processor = f"{fingerprint['cpu']['model'] or 'unknown CPU'}, {threads} thread{'s'[: threads > 1]}"
        how = f"protocol {self.settings.plan.name}, isolation {self.settings.isolation}"
        return "; ".join([*gpus, processor, how])


def _report(item: pytest.Item, outcome: Outcome, stderr: str) -> None:
    """Ends the test as the outcome says."""
    if stderr:
        item.add_report_section("call", "worker stderr", stderr)
    message = f"{outcome.status}: {printable(outcome.reason or '')}"
    if outcome.status in ("unsupported", "out_of_memory"):
        pytest.skip(message)
    if outcome.status != "ok":
        pytest.fail("\n".join([message, printable_lines(outcome.details or "")]).strip(), pytrace=False)
