"""The hooks that put our block into pytest-benchmark's JSON, and write a JSON if pytest-benchmark writes none."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from pytest_throughput.results.journal import to_disk
from pytest_throughput.results.writer import MAX_RESULT_BYTES, throughput_block
from pytest_throughput.run.output import show
from pytest_throughput.run.result import run_result
from pytest_throughput.run.result_path import ResultPath, is_whole_json, make_room
from pytest_throughput.run.session import ThroughputSession
from pytest_throughput.text import printable

__all__ = ["BenchmarkJson"]

_PART_SUFFIX = ".part"
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


_KNOWN_AT_THE_END = ("model_flops_utilisation", "peak")
"""Metadata of a trial that depend on other trials of the run."""


class BenchmarkJson:
    """The hooks around pytest-benchmark's JSON and table, and the state of the file."""

    def __init__(self, config: pytest.Config, session: ThroughputSession) -> None:
        self._config = config
        self._session = session
        self.problem: str | None = None
        """The reason why the results could not be written; None if they were, or if no file was asked for."""
        self.warning: str | None = None
        """A warning about results that were written; None if there is none."""
        self.may_be_written = False
        """Whether the run was allowed to begin. A run that was refused leaves the older file alone."""
        self.is_written = False
        """Whether the JSON was written by this run."""
        self.benchmark_has_ended = False
        """Whether pytest-benchmark has written, or tried to write, all its files."""
        self._part: Path | None = None
        """The temporary file, while results are written."""

    @property
    def has_other_files(self) -> bool:
        """Whether pytest-benchmark was asked to save files besides the JSON."""
        option = self._config.getoption
        return bool(option("benchmark_save") or option("benchmark_autosave"))

    @property
    def path(self) -> Path | None:
        """The path that ``--benchmark-json`` gives; None without the option."""
        path: Path | None = self._config.getoption("benchmark_json")
        return path.plain if isinstance(path, ResultPath) else path

    @pytest.hookimpl(optionalhook=True)
    def pytest_benchmark_update_json(self, output_json: dict[str, Any]) -> None:
        if not self._session.items:
            return
        result = run_result(self._config, self._session)
        known_at_the_end = {
            (*case.key, trial.trial): {
                **{name: value for name, value in trial.metadata.items() if name in _KNOWN_AT_THE_END},
                "implausible": case.implausible,
            }
            for case in result.cases
            for trial in case.trials
        }
        for benchmark in output_json["benchmarks"]:
            info = benchmark["extra_info"]
            if benchmark["fullname"] in self._session.items:
                key = tuple(info.get(name) for name in ("case_id", "environment", "trial"))
                info.update(known_at_the_end.get(key, {}))
        output_json["throughput"] = throughput_block(result)

    @pytest.hookimpl(optionalhook=True, wrapper=True)
    def pytest_benchmark_group_stats(self) -> Iterator[None]:
        """Leave our rows out of pytest-benchmark's table, unless an option asks for that table."""
        groups: Any = yield
        option, ours = self._config.getoption, self._session.items
        if not ours or any(option(name) != default for name, default in _TABLE_OPTIONS.items()):
            return groups  # type: ignore[no-any-return]
        folded = [(name, [row for row in rows if row["fullname"] not in ours]) for name, rows in groups]
        return [(name, rows) for name, rows in folded if rows]  # type: ignore[return-value]

    def begin_writing(self) -> None:
        """Have pytest-benchmark write to a temporary file beside the JSON, until ``end_writing``."""
        option = self._config.getoption("benchmark_json", None)
        if not self.may_be_written or not isinstance(option, ResultPath) or not option.is_replaceable:
            return
        part = option.plain.with_name(option.name + _PART_SUFFIX)
        try:
            part.unlink(missing_ok=True)  # A run that was killed while it wrote may have left the file.
            # The file is created here because pytest-benchmark would follow a link of that name.
            os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        except OSError as error:
            self.note_unwritten(error)
            return
        self._part = option.opens_as = part

    @pytest.hookimpl(tryfirst=True)  # Hooks of other plugins may read the file.
    def pytest_sessionfinish(self) -> None:
        """Put pytest-benchmark's JSON in its place; write one if pytest-benchmark had no results."""
        self.benchmark_has_ended = True
        if self._part is None:
            return
        try:
            if self._part.stat().st_size == 0:
                self._part.write_text(json.dumps(self._empty_document(), indent=4), encoding="ascii")
        except OSError as error:
            self.note_unwritten(error)
        self.end_writing(is_whole=self.problem is None)

    def end_writing(self, *, is_whole: bool = False) -> None:
        """Replace the JSON by the temporary file, if that is whole, once it is on the disk."""
        part, self._part = self._part, None
        if part is None or self.path is None:
            return
        self._config.getoption("benchmark_json").opens_as = None
        try:
            if is_whole or is_whole_json(part):
                to_disk(part)
                size_bytes = part.stat().st_size
                make_room(self.path)
                os.replace(part, self.path)
                self.is_written = True
                self._warn_of_size(size_bytes)
                with suppress(OSError):  # Some file systems cannot synchronise folders.
                    to_disk(self.path.parent)
        except OSError as error:
            self.note_unwritten(error)
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)

    def note_if_gone(self) -> None:
        """Note that the JSON has been removed since it was written, so that the journal is kept."""
        if self.is_written and self.path is not None:
            try:
                self.path.stat()
            except OSError as error:
                self.is_written = False
                self.note_unwritten(error)

    def note_if_missing(self, error: BaseException) -> None:
        """Note that a JSON was not written because another plugin's hook has raised an error."""
        if self.path is not None and self.may_be_written and not self.is_written and self.problem is None:
            self.note_unwritten(error)

    def note_unwritten(self, error: BaseException) -> None:
        """Note the reason why the results could not be written."""
        # If the JSON was written, the error concerns another file, such as an autosaved one.
        file = getattr(error, "filename", None)
        if not self.is_written and self.path is not None:
            file = self.path
            with suppress(OSError):  # The file of that name is this run's, or does not exist.
                make_room(self.path)
        why = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        self.problem = f"could not write {file or 'the results'}: {why}; free space there, or give another folder"

    def _warn_of_size(self, size_bytes: int) -> None:
        if size_bytes > MAX_RESULT_BYTES:
            self.warning = (
                f"{self.path} has {size_bytes >> 20} MiB, and pytest-throughput reads at most "
                f"{MAX_RESULT_BYTES >> 20} MiB: measure fewer cases or trials in a run"
            )

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
        for text in filter(None, (self.problem, self.warning)):
            show(terminalreporter, printable(text), red=True)
