"""The launcher that starts nothing: trials run in pytest's own process."""

from __future__ import annotations

import math
import sys

from pytest_throughput.launch.launcher import LaunchedTrial, Launcher, Placement
from pytest_throughput.telemetry.gpus import is_numbered
from pytest_throughput.worker.protocol import Outcome, Progress, Request
from pytest_throughput.worker.trial import Trial

__all__ = ["InProcess"]


class InProcess(Launcher):
    """``--throughput-isolation none``: a placement's environment variables are not set."""

    isolation = "none"
    uses_workers = False

    def start(self, request: Request, placement: Placement) -> LaunchedTrial:
        if not placement.interpreter.is_running:
            return _Refused(
                "with --throughput-isolation none a case runs in pytest's own interpreter, "
                f"not in {placement.interpreter.command[0]}"
            )
        if is_numbered(placement.device.name):
            return _Refused(
                "with --throughput-isolation none the process sees every GPU and takes the first, "
                f"not {placement.device.name}"
            )
        for folder in reversed(self.config.pythonpath):
            if str(folder) not in sys.path:
                sys.path.insert(0, str(folder))
        return _TrialHere.of(request, self.config.on_error)

    def close(self) -> None:
        """Do nothing: there is no other process."""


class _TrialHere(Trial):
    """A trial in this process."""

    stderr = ""

    def stop(self) -> bool:
        return False

    def kill(self) -> None:
        """Note no more errors of threads.

        The target stays open: what has interrupted its trial ends the run, or leaves no time for other trials.
        """
        self._stack.close()


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

    def stop(self) -> bool:
        return False

    def kill(self) -> None:
        """Do nothing."""
