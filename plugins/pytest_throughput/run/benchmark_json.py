"""The result file: our block in pytest-benchmark's JSON, and a file of our own where it writes none."""

from __future__ import annotations

import errno
import json
import os
import stat
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PosixPath
from typing import Any

import pytest

from pytest_throughput.exit_code import ExitCode
from pytest_throughput.gate.runs import hashed_machine_id
from pytest_throughput.results.completeness import is_incomplete
from pytest_throughput.results.journal import to_disk
from pytest_throughput.results.plausibility import mark_implausible
from pytest_throughput.results.writer import MAX_RESULT_BYTES, throughput_block
from pytest_throughput.run.output import tell
from pytest_throughput.run.session import ThroughputSession
from pytest_throughput.telemetry.cpu import cpu_model, usable_physical_cores
from pytest_throughput.telemetry.gpus import find_gpu, is_gpu
from pytest_throughput.telemetry.machine_id import machine_id
from pytest_throughput.text import printable

__all__ = [
    "BenchmarkJson",
    "ResultPath",
    "WriteErrorGuard",
    "fingerprint",
    "hashed_machine",
    "write_beside",
]


_PART_SUFFIX = ".part"
_LONGEST_SUFFIX = ".journal.jsonl.previous-999"
"""The longest that is put behind the name of the result file, for a file beside it."""
_MAX_NAME_BYTES = 255
"""The limit on a file's name of nearly every file system."""

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


class ResultPath(PosixPath):
    """The value of ``--benchmark-json``, which opens as a temporary file while results are written.

    It reads as the name that was given. pytest-benchmark knows no other way to have its JSON written elsewhere first.
    """

    opens_as: Path | None = None

    def __fspath__(self) -> str:
        return str(self if self.opens_as is None else self.opens_as)

    @property
    def plain(self) -> Path:
        """The path itself."""
        return Path(str(self))

    @property
    def is_replaceable(self) -> bool:
        """Whether there is a regular file, or nothing; /dev/stdout stays what it is."""
        return self.plain.is_file() or not os.path.lexists(self)


def write_beside(config: pytest.Config) -> None:
    """Make the value of ``--benchmark-json`` a ``ResultPath``; before pytest-benchmark reads it."""
    path = config.getoption("benchmark_json", None)
    if isinstance(path, Path):
        config.option.benchmark_json = ResultPath(path)


class BenchmarkJson:
    """The hooks around pytest-benchmark's JSON and table."""

    def __init__(self, config: pytest.Config, session: ThroughputSession) -> None:
        self._config = config
        self._session = session
        self.problem: str | None = None
        """Why the results could not be written; None if they were, or none were asked for."""
        self.warning: str | None = None
        """What is to be said of results that were written."""
        self.may_be_written = False
        """Whether the run was allowed to begin; one that was refused leaves the older file alone."""
        self.is_written = False
        """Whether the JSON is this run's."""
        self._part: Path | None = None
        """The temporary file, while results are written."""

    @property
    def path(self) -> Path | None:
        """The ``--benchmark-json``, if one was given."""
        path: Path | None = self._config.getoption("benchmark_json")
        return path.plain if isinstance(path, ResultPath) else path

    @property
    def deselected(self) -> list[str] | None:
        """The ids of the cases that were; None where node ids were given, since pytest then does not say."""
        by_node_id = any("::" in argument for argument in self._config.args)
        return None if by_node_id else sorted(set(self._session.deselected))

    def refuse_what_cannot_be_written(self) -> None:
        """Raise pytest.UsageError: before an hour of measuring, not after it."""
        if self.path is None:
            return
        folder = self.path.absolute().parent
        try:
            self.path.with_name(self.path.name + _LONGEST_SUFFIX).lstat()
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                raise pytest.UsageError(
                    f"--benchmark-json: cannot write {printable(str(self.path))}: {error.strerror}; expected at most "
                    f"{_MAX_NAME_BYTES - len(_LONGEST_SUFFIX)} bytes as a name, since the journal is called "
                    "NAME.journal.jsonl"
                ) from None
        if not folder.is_dir() or self.path.is_dir() or not os.access(folder, os.W_OK):
            raise pytest.UsageError(
                f"--benchmark-json: cannot write {self.path}; "
                "expected the name of a file in an existing, writable folder"
            )
        if _is_printed_to(self.path):
            raise pytest.UsageError(
                f"--benchmark-json: cannot write {printable(str(self.path))}: pytest prints to that file; "
                "give the name of another"
            )
        if _previous(self.path).is_dir() or not _may_be_moved(self.path):
            raise pytest.UsageError(
                f"--benchmark-json: cannot move the older {printable(str(self.path))} to "
                f"{printable(_previous(self.path).name)}; remove what is in the way, or give another name"
            )

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
            machine_id=hashed_machine(self._session),
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

    def begin_writing(self) -> None:
        """Have pytest-benchmark write to a temporary file beside the JSON, until ``end_writing``."""
        option = self._config.getoption("benchmark_json", None)
        if not self.may_be_written or not isinstance(option, ResultPath) or not option.is_replaceable:
            return
        part = option.plain.with_name(option.name + _PART_SUFFIX)
        try:
            part.unlink(missing_ok=True)  # A run that was killed while it wrote has left it.
            # Created here: pytest-benchmark would follow a link of that name.
            os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        except OSError as error:
            self.note_unwritten(error)
            return
        self._part = option.opens_as = part

    @pytest.hookimpl(tryfirst=True)  # Others may read the file.
    def pytest_sessionfinish(self) -> None:
        """Put the JSON in its place, and write one where pytest-benchmark, which has had its turn, had no results."""
        if self._part is None:
            return
        try:
            if self._part.stat().st_size == 0:
                self._part.write_text(json.dumps(self._empty_document(), indent=4), encoding="ascii")
        except OSError as error:
            self.note_unwritten(error)
        self.end_writing(is_whole=self.problem is None)

    def end_writing(self, *, is_whole: bool = False) -> None:
        """Replace the JSON by what was written, if that is whole, once it is on the disk."""
        part, self._part = self._part, None
        if part is None or self.path is None:
            return
        self._config.getoption("benchmark_json").opens_as = None
        try:
            if is_whole or _is_whole(part):
                to_disk(part)
                size_bytes = part.stat().st_size
                _make_room(self.path)
                os.replace(part, self.path)
                self.is_written = True
                self._warn_of_size(size_bytes)
                with suppress(OSError):  # Of folders, not every file system can say.
                    to_disk(self.path.parent)
        except OSError as error:
            self.note_unwritten(error)
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)

    def note_if_gone(self) -> None:
        """Note a JSON that others have removed since it was written: the journal has to stay."""
        if self.is_written and self.path is not None:
            try:
                self.path.stat()
            except OSError as error:
                self.is_written = False
                self.note_unwritten(error)

    def note_if_missing(self, error: BaseException) -> None:
        """Note that a JSON was asked for and not written, since another plugin's hook has raised an error."""
        if self.path is not None and self.may_be_written and not self.is_written and self.problem is None:
            self.note_unwritten(error)

    def note_unwritten(self, error: BaseException) -> None:
        """Note why the results could not be written."""
        # Where the JSON was written, it is another file that could not be, such as an autosaved one.
        file = getattr(error, "filename", None)
        if not self.is_written and self.path is not None:
            file = self.path
            with suppress(OSError):  # The file of that name is this run's, or is not there.
                _make_room(self.path)
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
            tell(terminalreporter, printable(text), red=True)


class WriteErrorGuard:
    """Stands around pytest-benchmark's writing: where that fails, the run ends tidily, with a status of its own."""

    def __init__(self, config: pytest.Config, session: ThroughputSession, results: BenchmarkJson) -> None:
        self._config = config
        self._session = session
        self._results = results

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> Iterator[None]:
        self._results.begin_writing()
        try:
            yield
        except BaseException as error:
            self._results.end_writing()
            ours = self._session.is_measuring and isinstance(error, (Exception, KeyboardInterrupt))
            if not ours or not _comes_from_pytest_benchmark(error):
                self._results.note_if_missing(error)
                raise
            self._results.note_unwritten(error)
            # It stands around everybody else's hooks, too: none of them has had its turn.
            manager = self._config.pluginmanager
            others = manager.subset_hook_caller("pytest_sessionfinish", [self, manager.get_plugin("benchmark")])
            others(session=session, exitstatus=exitstatus)
            if isinstance(error, KeyboardInterrupt):  # Before, pytest's terminal would report one that it has not seen.
                session.exitstatus = pytest.ExitCode.INTERRUPTED
        finally:
            self._results.end_writing()
            if self._results.problem is not None and session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = ExitCode.NOT_WRITTEN


def _comes_from_pytest_benchmark(error: BaseException) -> bool:
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


def _is_printed_to(path: Path) -> bool:
    """Whether it is the regular file behind standard output or standard error, as /dev/stdout may be.

    A link to it would be replaced by the result file.
    """
    for descriptor in (1, 2):
        with suppress(OSError):
            status = os.fstat(descriptor)
            if stat.S_ISREG(status.st_mode) and os.path.samestat(status, path.stat()):
                return True
    return False


def _previous(path: Path) -> Path:
    return path.with_name(path.name + ".previous")


def _make_room(path: Path) -> None:
    """Keep an older file of that name as ``FILE.previous``; one that is incomplete displaces no complete one there."""
    previous = _previous(path)
    if path.is_file() and not (is_incomplete(path) and previous.exists() and not is_incomplete(previous)):
        os.replace(path, previous)


def _may_be_moved(path: Path) -> bool:
    """Whether the file, if there is one, may be renamed: in a folder such as /tmp, only its owner may."""
    try:
        file, folder = path.lstat(), path.absolute().parent.stat()
    except OSError:
        return True
    return not folder.st_mode & stat.S_ISVTX or os.geteuid() in (0, file.st_uid, folder.st_uid)


def fingerprint(session: ThroughputSession) -> dict[str, Any]:
    """The hardware that the figures belong to: what makes two machines alike, not which one it was."""
    gpus = [find_gpu(device, session.gpus) for device in session.devices if is_gpu(device)]
    return {
        "cpu": {"model": cpu_model(), "cores": usable_physical_cores(), "threads": session.settings.threads},
        "gpus": [None if gpu is None else gpu.fingerprint() for gpu in gpus],
    }


def hashed_machine(session: ThroughputSession) -> str | None:
    """Which of the machines that are alike it was, hashed: its GPUs, else the machine; None where unknown."""
    gpus = [find_gpu(device, session.gpus) for device in session.devices if is_gpu(device)]
    names = [gpu.uuid for gpu in gpus if gpu is not None] if any(gpus) else [machine_id()]
    known = [name for name in names if name]
    return hashed_machine_id(" ".join(known)) if known else None
