"""The launchers that run trials in worker processes: a fresh one for each trial, or one that trials share."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace

from pytest_throughput.launch.launcher import LaunchedTrial, Launcher, LauncherConfig, Placement
from pytest_throughput.launch.reaper import OwnFolder, Reaper
from pytest_throughput.launch.worker_process import Worker, WorkerTrial
from pytest_throughput.telemetry.cpu_peak import THREAD_VARIABLES
from pytest_throughput.worker.protocol import Outcome, Request

__all__ = ["FreshWorkers", "SharedWorker"]


class _WorkerLauncher(Launcher):
    """The common part of both launchers: starting workers, and ending them with pytest."""

    def __init__(self, config: LauncherConfig) -> None:
        super().__init__(config)
        self._reaper: Reaper | None = None
        self._living: list[Worker] = []

    def close(self) -> None:
        for worker in list(self._living):
            self._close_worker(worker)
        if self._reaper is not None:
            self._reaper.close()
            self._reaper = None

    def _begin(
        self, worker: Worker, request: Request, placement: Placement, release: Callable[[Outcome | None], object]
    ) -> LaunchedTrial:
        request = replace(request, variables=self._variables(placement), own_process=self.starts_afresh)
        return _TrialInWorker(worker, request, self.config.timeout_seconds, release)

    def _new_worker(self, placement: Placement) -> Worker:
        if self._reaper is None:
            self._reaper = Reaper()
        staged = self.config.staged.folder(self._reaper.guard_folder)
        worker = Worker(
            placement.interpreter.command,
            self._environment(placement, staged),
            memory_limit_bytes=self.config.memory_limit_bytes,
            reaper=self._reaper,
        )
        self._living.append(worker)
        return worker

    def _close_worker(self, worker: Worker) -> None:
        if worker in self._living:
            self._living.remove(worker)
            worker.close()

    def _variables(self, placement: Placement) -> dict[str, str]:
        """Return the environment variables of the worker that differ from pytest's own."""
        threads = dict.fromkeys(THREAD_VARIABLES, str(self.config.threads))
        return {**threads, **dict(placement.variables), **dict(placement.device.visibility)}

    def _environment(self, placement: Placement, staged: OwnFolder) -> Mapping[str, str]:
        variables = {**os.environ, **self._variables(placement)}
        pythonpath = self.config.pythonpath
        path = [staged.path, *map(str, pythonpath)]
        for folder, remedy in zip(path, ("TMPDIR", *["--throughput-pythonpath"] * len(pythonpath)), strict=True):
            if os.pathsep in folder:
                raise OSError(
                    f"workers cannot import from {folder}: {os.pathsep!r} separates the folders of PYTHONPATH; "
                    f"name another folder by {remedy}"
                )
        inherited = variables.pop("PYTHONPATH", "")
        if not placement.interpreter.is_running:
            # These are meant for the Python that runs pytest, and would break another one.
            variables.pop("PYTHONHOME", None)
            inherited = ""
        variables["PYTHONPATH"] = os.pathsep.join([*path, *filter(None, [inherited])])
        variables["PYTHONSAFEPATH"] = "1"
        return variables


class FreshWorkers(_WorkerLauncher):
    """``--throughput-isolation trial``: each trial has a worker of its own. Several may exist at a time."""

    isolation = "trial"
    starts_afresh = True

    def start(self, request: Request, placement: Placement) -> LaunchedTrial:
        worker = self._new_worker(placement)
        return self._begin(worker, request, placement, lambda _: self._close_worker(worker))


class SharedWorker(_WorkerLauncher):
    """``--throughput-isolation framework``: successive trials with equal placements share a worker.

    At most one worker exists at a time: another would hold memory and cores. A worker is shared only if its last trial
    left no work and no changed settings behind.
    """

    isolation = "framework"

    def __init__(self, config: LauncherConfig) -> None:
        super().__init__(config)
        self._placement: Placement | None = None

    def start(self, request: Request, placement: Placement) -> LaunchedTrial:
        worker = self._worker_for(placement)

        def release(outcome: Outcome | None) -> None:
            # After an error, the device's context may be unusable, or its memory fragmented.
            if outcome is None or outcome.status not in ("ok", "unsupported") or not worker.is_reusable:
                self._close_worker(worker)

        return self._begin(worker, request, placement, release)

    def _worker_for(self, placement: Placement) -> Worker:
        for worker in list(self._living):
            # A step may have removed modules that a live worker still has to import.
            if worker.is_alive and self._placement == placement and self.config.staged.is_whole:
                return worker
            self._close_worker(worker)
        self._placement = placement
        return self._new_worker(placement)


class _TrialInWorker(WorkerTrial):
    """A trial that releases its worker when it ends."""

    def __init__(
        self, worker: Worker, request: Request, timeout_seconds: float, release: Callable[[Outcome | None], object]
    ) -> None:
        """Call ``release`` at the end with the outcome, or with None for a trial that was given up."""
        super().__init__(worker, request, timeout_seconds)
        self._release = release
        self.stderr = ""

    def close(self) -> Outcome:
        outcome = super().close()
        self.stderr = self._worker.new_stderr()
        self._release(outcome)
        return outcome

    def kill(self) -> None:
        super().kill()
        self._release(None)
