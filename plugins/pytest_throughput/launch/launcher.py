"""Which process runs a trial: a fresh worker, one shared by its neighbours, or this process."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_throughput.launch.interpreters import Interpreter
from pytest_throughput.launch.reaper import OwnFolder, Reaper
from pytest_throughput.launch.staging import StagedPath
from pytest_throughput.launch.worker_process import Worker
from pytest_throughput.telemetry.gpus import is_numbered
from pytest_throughput.worker.protocol import Outcome, Request
from pytest_throughput.worker.trial import OnError, run_trial

__all__ = ["ISOLATIONS", "Launcher", "Placement"]

ISOLATIONS = ("trial", "framework", "none")

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Placement:
    """Where a trial runs. Trials of one place may share a worker when isolation is ``framework``."""

    interpreter: Interpreter
    trial: int
    device: str = "cpu"
    variables: tuple[tuple[str, str], ...] = ()
    """Environment variables: those that show the worker this device and no other, and those of the case."""


class Launcher:
    """Hands trials to workers. At most one worker lives at a time: another would hold memory and cores."""

    def __init__(
        self,
        *,
        isolation: str,
        staged: StagedPath,
        pythonpath: Sequence[Path],
        threads: int,
        timeout_seconds: float,
        memory_limit_bytes: int | None = None,
        on_error: OnError | None = None,
    ) -> None:
        """``on_error`` is called with the exception that ended a trial in this process."""
        self.isolation = isolation
        self._staged = staged
        self.pythonpath = tuple(pythonpath)
        self._threads = threads
        self._timeout_seconds = timeout_seconds
        self._memory_limit_bytes = memory_limit_bytes
        self._on_error = on_error
        self._reaper: Reaper | None = None
        self._worker: Worker | None = None
        self._worker_place: Placement | None = None

    def run(self, request: Request, placement: Placement) -> tuple[Outcome, str]:
        """The outcome of one trial, and what its worker wrote to standard error meanwhile."""
        if self.isolation == "none":
            return self._conduct_here(request, placement), ""
        variables = {**dict.fromkeys(_THREAD_VARIABLES, str(self._threads)), **dict(placement.variables)}
        request = replace(request, variables=variables, own_process=self.isolation == "trial")
        # A step may have removed what a worker that lives still has to import.
        if (
            self._worker is None
            or not self._worker.is_alive
            or self._worker_place != placement
            or not self._staged.is_whole
        ):
            self._close_worker()
            self._worker = self._new_worker(placement)
            self._worker_place = placement
        try:
            outcome = self._worker.run(request, self._timeout_seconds)
        except BaseException:
            # Interrupted: what the worker would answer now belongs to nobody.
            worker, self._worker = self._worker, None
            worker.kill()
            raise
        stderr = self._worker.new_stderr()
        is_well = outcome.status in ("ok", "unsupported") and self._worker.is_reusable
        if self.isolation == "trial" or not is_well:
            # After an error, a device's context may be beyond repair, or its memory in pieces.
            self._close_worker()
        return outcome, stderr

    def close(self) -> None:
        """Ends the worker and its reaper, if there are any."""
        self._close_worker()
        if self._reaper is not None:
            self._reaper.close()
            self._reaper = None

    def _new_worker(self, placement: Placement) -> Worker:
        if self._reaper is None:
            self._reaper = Reaper()
        folder = self._staged.folder(self._reaper.guard_folder)
        environment = self._environment(placement.interpreter, folder)
        return Worker(
            placement.interpreter.command,
            environment,
            memory_limit_bytes=self._memory_limit_bytes,
            reaper=self._reaper,
        )

    def _close_worker(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.close()

    def _conduct_here(self, request: Request, placement: Placement) -> Outcome:
        if not placement.interpreter.is_running:
            return Outcome(
                "unsupported",
                reason="with --throughput-isolation none a case runs in pytest's own interpreter, "
                f"not in {placement.interpreter.command[0]}",
            )
        if is_numbered(placement.device):
            return Outcome(
                "unsupported",
                reason="with --throughput-isolation none the process sees every GPU and takes the first, "
                f"not {placement.device}",
            )
        for folder in reversed(self.pythonpath):
            if str(folder) not in sys.path:
                sys.path.insert(0, str(folder))
        return run_trial(request, self._on_error)

    def _environment(self, interpreter: Interpreter, staged: OwnFolder) -> Mapping[str, str]:
        variables = dict(os.environ)
        path = [staged.path, *map(str, self.pythonpath)]
        for folder, remedy in zip(path, ("TMPDIR", *["--throughput-pythonpath"] * len(self.pythonpath)), strict=True):
            if os.pathsep in folder:
                raise OSError(
                    f"workers cannot import from {folder}: {os.pathsep!r} separates the folders of PYTHONPATH; "
                    f"name another folder by {remedy}"
                )
        inherited = variables.pop("PYTHONPATH", "")
        if not interpreter.is_running:
            # Meant for the Python that runs pytest; another one would trip over them.
            variables.pop("PYTHONHOME", None)
            inherited = ""
        variables["PYTHONPATH"] = os.pathsep.join([*path, *filter(None, [inherited])])
        variables["PYTHONSAFEPATH"] = "1"
        return variables
