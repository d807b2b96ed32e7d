"""The result file: our block in pytest-benchmark's JSON, and a file of our own where it writes none."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_throughput.session import ThroughputSession
from pytest_throughput.telemetry.cpu import cpu_model, usable_physical_cores
from pytest_throughput.telemetry.gpus import find_gpu
from pytest_throughput.throughput.document import throughput_block

__all__ = ["NOT_WRITTEN", "Results", "fingerprint"]

NOT_WRITTEN = 14
"""Exit status of a run whose results could not be written."""

_TABLE_OPTIONS: dict[str, Any] = {
    "benchmark_columns": None,
    "benchmark_compare": [],
    "benchmark_compare_fail": None,
    "benchmark_group_by": "group",
    "benchmark_histogram": [],
    "benchmark_sort": "min",
    "benchmark_time_unit": None,
    "benchmark_verbose": False,
}
"""Options of pytest-benchmark that ask for its own table, with their defaults."""


class Results:
    """The hooks around pytest-benchmark's JSON and table."""

    def __init__(self, config: pytest.Config, session: ThroughputSession) -> None:
        self._config = config
        self._session = session
        self._write_error: str | None = None

    @property
    def _path(self) -> Path | None:
        path: Path | None = self._config.getoption("benchmark_json")
        return path

    def pytest_collection_finish(self) -> None:
        """Whatever happens later, the file of that name is this run's, or is not there."""
        if not self._session.is_measuring or self._path is None:
            return
        path, folder = self._path, self._path.absolute().parent
        if not folder.is_dir() or path.is_dir() or not os.access(folder, os.W_OK):
            # Said before an hour of measuring, not after it.
            raise pytest.UsageError(
                f"--benchmark-json: cannot write {path}; expected the name of a file in an existing, writable folder"
            )
        if path.exists():
            os.replace(path, path.with_name(path.name + ".previous"))

    @pytest.hookimpl(optionalhook=True)
    def pytest_benchmark_update_json(self, output_json: dict[str, Any]) -> None:
        if not self._session.items:
            return
        by_node_id = any("::" in argument for argument in self._config.args)
        output_json["throughput"] = throughput_block(
            self._session.ledger,
            deselected=None if by_node_id else sorted(set(self._session.deselected)),
            fingerprint=fingerprint(self._session),
        )

    @pytest.hookimpl(optionalhook=True, wrapper=True)
    def pytest_benchmark_group_stats(self) -> Iterator[None]:
        """Folds our rows away from pytest-benchmark's table, unless an option asks for that table."""
        groups: Any = yield
        option, ours = self._config.getoption, self._session.items
        if not ours or any(option(name) != default for name, default in _TABLE_OPTIONS.items()):
            return groups  # type: ignore[no-any-return]
        folded = [(name, [row for row in rows if row["fullname"] not in ours]) for name, rows in groups]
        return [(name, rows) for name, rows in folded if rows]  # type: ignore[return-value]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Writes the JSON where pytest-benchmark, which has had its turn, had nothing to write."""
        if not self._session.is_measuring or self._path is None or self._path.exists():
            return
        try:
            self._path.write_text(json.dumps(self._empty_document(), indent=4), encoding="ascii")
        except OSError as error:
            self._write_error = f"could not write {self._path}: {error.strerror}; give a writable --benchmark-json"
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

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._write_error is not None:
            terminalreporter.write_line(self._write_error, red=True)


def fingerprint(session: ThroughputSession) -> dict[str, Any]:
    """The hardware that the figures belong to: what makes two machines alike, not which one it was."""
    gpus = [find_gpu(device, session.gpus) for device in session.devices if device.startswith("cuda")]
    return {
        "cpu": {"model": cpu_model(), "cores": usable_physical_cores(), "threads": session.settings.threads},
        "gpus": [None if gpu is None else gpu.fingerprint() for gpu in gpus],
    }
