"""A warning, while a run can be stopped, that its result file will be too large to be read."""

from __future__ import annotations

import statistics
from collections.abc import Iterable

from pytest_throughput.results.ended_trial import EndedTrial
from pytest_throughput.results.writer import MAX_RESULT_BYTES, estimated_bytes
from pytest_throughput.run.benchmark_json import BenchmarkJson
from pytest_throughput.run.session import ThroughputSession
from pytest_throughput.text import byte_count

__all__ = ["SizeWarning"]


class SizeWarning:
    """Warns once, by the sizes of the trials that have ended."""

    def __init__(self, session: ThroughputSession, results: BenchmarkJson) -> None:
        self._session = session
        self._results = results
        self._trial_bytes: list[int] = []
        """The approximate size of each trial in the result file."""
        self._is_warned = False

    def note(self, trials: Iterable[EndedTrial]) -> None:
        """Note trials of an earlier run, which will be in the result file, too."""
        self._trial_bytes += [estimated_bytes(ended.result) for ended in trials]

    def add(self, ended: EndedTrial) -> None:
        """Note a trial, and warn if as many as were asked for will be too large."""
        self.note([ended])
        expected_bytes = statistics.mean(self._trial_bytes) * self._session.ledger.trials_asked
        if self._is_warned or self._results.path is None or expected_bytes <= MAX_RESULT_BYTES:
            return
        self._is_warned = True
        if self._session.observer is not None:
            self._session.observer.warn(
                f"{self._results.path} will have about {byte_count(expected_bytes)}, and pytest-throughput reads at "
                f"most {byte_count(MAX_RESULT_BYTES)}: measure fewer cases or trials in a run, or give "
                "--throughput-steps-per-round"
            )
