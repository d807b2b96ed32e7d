"""End a run whose results cannot be written in an orderly way, with its own exit status."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pytest_throughput.exit_code import ExitCode
from pytest_throughput.run.benchmark_json import BenchmarkJson
from pytest_throughput.run.session import ThroughputSession

__all__ = ["WriteErrorGuard"]

_WRITE_ERRORS = (OSError, MemoryError, RecursionError, KeyboardInterrupt)
"""The exceptions of a full disk, a closed descriptor, a result that is too large, or Ctrl-C during writing."""

_NAMES_OF_PYTEST_BENCHMARK = ("benchmark", "pytest_benchmark.plugin")
"""The name of its entry point, and that of its module, under which ``-p pytest_benchmark.plugin`` registers it."""


class WriteErrorGuard:
    """The outermost hook around the end of a session, and so around pytest-benchmark's writing."""

    def __init__(self, config: pytest.Config, session: ThroughputSession, results: BenchmarkJson) -> None:
        self._config = config
        self._session = session
        self._results = results

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> Iterator[None]:
        """Note an error of writing; raise other errors, such as those of other plugins' hooks, unchanged."""
        self._results.begin_writing()
        try:
            yield
        except BaseException as error:
            self._results.end_writing()
            if not self._is_of_writing(error):
                self._results.note_if_missing(error)
                raise
            # If the JSON is whole and is the only file, the error is that of a terminal that was closed.
            if self._results.has_other_files or not self._results.is_written:
                self._results.note_unwritten(error)
            # pytest-benchmark writes before the hooks within its wrapper are called, so these are called here.
            manager = self._config.pluginmanager
            called = [self, *filter(None, map(manager.get_plugin, _NAMES_OF_PYTEST_BENCHMARK))]
            others = manager.subset_hook_caller("pytest_sessionfinish", called)
            others(session=session, exitstatus=exitstatus)
            if isinstance(error, KeyboardInterrupt):  # Set afterwards: pytest's terminal has not seen the interrupt.
                session.exitstatus = pytest.ExitCode.INTERRUPTED
        finally:
            self._results.end_writing()
            if self._results.problem is not None and session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = ExitCode.NOT_WRITTEN

    def _is_of_writing(self, error: BaseException) -> bool:
        is_during_writing = self._session.is_measuring and not self._results.benchmark_has_ended
        return is_during_writing and isinstance(error, _WRITE_ERRORS)
