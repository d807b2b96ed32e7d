"""The launcher that starts nothing: trials run in pytest's own process."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from pytest_throughput.launch.launcher import LaunchedTrial, Launcher, Placement
from pytest_throughput.telemetry.gpus import is_numbered
from pytest_throughput.worker.protocol import Outcome, Progress, Request
from pytest_throughput.worker.trial import Trial

__all__ = ["InProcess"]


class InProcess(Launcher):
    """``--throughput-isolation none``."""

    isolation = "none"
    uses_workers = False

    def start(self, request: Request, placement: Placement) -> LaunchedTrial:
        if not placement.interpreter.is_running:
            return _Refused(
                "with --throughput-isolation none a case runs in pytest's own interpreter, "
                f"not in {placement.interpreter.command[0]}"
            )
        if is_numbered(placement.device):
            return _Refused(
                "with --throughput-isolation none the process sees every GPU and takes the first, "
                f"not {placement.device}"
            )
        for folder in reversed(self.config.pythonpath):
            if str(folder) not in sys.path:
                sys.path.insert(0, str(folder))
        return _TrialHere(Trial.of(request, self.config.on_error), dict(placement.variables))

    def close(self) -> None:
        """Do nothing: there is no other process."""


class _TrialHere:
    """A trial in this process, which has its environment variables during each call only."""

    stderr = ""

    def __init__(self, trial: Trial, variables: Mapping[str, str]) -> None:
        self._trial = trial
        self._variables = variables

    def open(self) -> Progress:
        with _environment(self._variables):
            return self._trial.open()

    def warm_up(self) -> Progress:
        with _environment(self._variables):
            return self._trial.warm_up()

    def measure(self, slice_seconds: float = math.inf) -> Progress:
        with _environment(self._variables):
            return self._trial.measure(slice_seconds)

    def close(self) -> Outcome:
        with _environment(self._variables):
            return self._trial.close()

    def kill(self) -> None:
        """Do nothing: an interruption has ended the trial."""


class _Refused:
    """A trial that this process cannot run."""

    stderr = ""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def open(self) -> Progress:
        return Progress(is_finished=True)

    def warm_up(self) -> Progress:
        return Progress(is_finished=True)

    def measure(self, slice_seconds: float = math.inf) -> Progress:
        return Progress(is_finished=True)

    def close(self) -> Outcome:
        return Outcome("unsupported", reason=self._reason)

    def kill(self) -> None:
        """Do nothing."""


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables; restore them afterwards."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
