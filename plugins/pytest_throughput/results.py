"""The result file: our block in pytest-benchmark's JSON, and a file of our own where it writes none."""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from pytest_throughput.regression.runs import hashed_individual
from pytest_throughput.reporting import tell
from pytest_throughput.session import ThroughputSession
from pytest_throughput.telemetry.cpu import cpu_model, usable_physical_cores
from pytest_throughput.telemetry.gpus import find_gpu
from pytest_throughput.telemetry.individual import machine_id
from pytest_throughput.throughput.document import throughput_block
from pytest_throughput.throughput.journal import to_disk
from pytest_throughput.throughput.plausibility import mark_implausible
from pytest_throughput.throughput.text import printable

__all__ = ["NOT_WRITTEN", "Results", "Unwritten", "fingerprint", "individual", "move_away"]

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
        self.problem: str | None = None
        """Why the results could not be written; None if they were, or none were asked for."""

    @property
    def path(self) -> Path | None:
        """The ``--benchmark-json``, if one was given."""
        path: Path | None = self._config.getoption("benchmark_json")
        return path

    @property
    def deselected(self) -> list[str] | None:
        """The ids of the cases that were; None where node ids were given, since pytest then does not say."""
        by_node_id = any("::" in argument for argument in self._config.args)
        return None if by_node_id else sorted(set(self._session.deselected))

    def refuse_what_cannot_be_written(self) -> None:
        """Raises pytest.UsageError: before an hour of measuring, not after it."""
        if self.path is None:
            return
        folder = self.path.absolute().parent
        if not folder.is_dir() or self.path.is_dir() or not os.access(folder, os.W_OK):
            raise pytest.UsageError(
                f"--benchmark-json: cannot write {self.path}; "
                "expected the name of a file in an existing, writable folder"
            )

    def pytest_collection_finish(self) -> None:
        """Whatever happens later, the file of that name is this run's, or is not there."""
        if self._session.is_measuring and self.path is not None:
            move_away(self.path)

    @pytest.hookimpl(optionalhook=True)
    def pytest_benchmark_update_json(self, output_json: dict[str, Any]) -> None:
        if not self._session.items:
            return
        mark_implausible(self._session.ledger)
        marks = {(case.id, case.environment): case.implausible for case in self._session.ledger}
        for benchmark in output_json["benchmarks"]:
            info = benchmark["extra_info"]
            if benchmark["fullname"] in self._session.items:
                info["implausible"] = marks.get((info.get("case_id"), info.get("environment")))
        output_json["throughput"] = throughput_block(
            self._session.ledger,
            deselected=self.deselected,
            fingerprint=fingerprint(self._session),
            individual=individual(self._session),
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

    def pytest_sessionfinish(self) -> None:
        """Writes the JSON where pytest-benchmark, which has had its turn, had nothing to write."""
        if not self._session.is_measuring or self.path is None or self.path.exists() or self.problem is not None:
            return
        try:
            self.path.write_text(json.dumps(self._empty_document(), indent=4), encoding="ascii")
        except OSError as error:
            self.note_unwritten(error)

    def make_last(self) -> None:
        """Has the result file outlive a power failure, before the journal that holds the same is removed."""
        if self.path is None or not self.path.is_file() or self.problem is not None:
            return
        try:
            to_disk(self.path)
        except OSError as error:
            self.note_unwritten(error)

    def note_unwritten(self, error: OSError) -> None:
        """Notes that the results could not be written, and removes what is half written: it is no JSON."""
        # A file of a name that fits was written whole: it is another that could not be, such as an autosaved one.
        file = error.filename or self.path or "the results"
        if self.path is not None and not _is_whole(self.path):
            file = self.path
            if self.path.is_file():
                with suppress(OSError):
                    self.path.unlink()
        self.problem = f"could not write {file}: {error.strerror}; free space there, or give another folder"

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
        if self.problem is not None:
            tell(terminalreporter, printable(self.problem), red=True)


class Unwritten:
    """Stands around pytest-benchmark's writing: where that fails, the run ends tidily, with a status of its own."""

    def __init__(self, config: pytest.Config, session: ThroughputSession, results: Results) -> None:
        self._config = config
        self._session = session
        self._results = results

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if not self._session.is_measuring or not _comes_from_pytest_benchmark(error):
                raise
            self._results.note_unwritten(error)
            # It stands around everybody else's hooks, too: none of them has had its turn.
            manager = self._config.pluginmanager
            others = manager.subset_hook_caller("pytest_sessionfinish", [self, manager.get_plugin("benchmark")])
            others(session=session, exitstatus=exitstatus)
        if self._results.problem is not None and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = NOT_WRITTEN


def _comes_from_pytest_benchmark(error: OSError) -> bool:
    """And from its writing, not from its telling so: a terminal that was closed raises the same errors."""
    codes = [frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__)]
    files = [Path(code.co_filename) for code in codes if "pytest_benchmark" in code.co_filename]
    writing = any(code.co_name in ("save_json", "save") for code in codes)
    return bool(files) and writing and all(file.name != "logger.py" for file in files)


def _is_whole(path: Path) -> bool:
    """Whether a JSON object was written to its end."""
    try:
        if not path.is_file() or path.stat().st_size < 2:
            return False
        with path.open("rb") as file:
            file.seek(-2, os.SEEK_END)
            return file.read(2) == b"\n}"
    except OSError:
        return False


def move_away(path: Path) -> None:
    """Keeps an older file of that name as ``FILE.previous``. Raises pytest.UsageError if it cannot."""
    try:
        if path.is_file():  # /dev/stdout stays where it is.
            os.replace(path, path.with_name(path.name + ".previous"))
    except OSError as error:
        raise pytest.UsageError(f"cannot move the older {printable(str(path))} away: {error.strerror}") from None


def fingerprint(session: ThroughputSession) -> dict[str, Any]:
    """The hardware that the figures belong to: what makes two machines alike, not which one it was."""
    gpus = [find_gpu(device, session.gpus) for device in session.devices if device.startswith("cuda")]
    return {
        "cpu": {"model": cpu_model(), "cores": usable_physical_cores(), "threads": session.settings.threads},
        "gpus": [None if gpu is None else gpu.fingerprint() for gpu in gpus],
    }


def individual(session: ThroughputSession) -> str | None:
    """Which of the machines that are alike it was, hashed: its GPUs, else the machine; None where unknown."""
    gpus = [find_gpu(device, session.gpus) for device in session.devices if device.startswith("cuda")]
    names = [gpu.uuid for gpu in gpus if gpu is not None] if any(gpus) else [machine_id()]
    known = [name for name in names if name]
    return hashed_individual(" ".join(known)) if known else None
