"""The launchers that run trials in worker processes: a fresh one for each trial, or one that trials share."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace

from pytest_throughput.launch.launcher import LaunchedTrial, Launcher, LauncherConfig, Placement
from pytest_throughput.launch.reaper import OwnFolder, Reaper
from pytest_throughput.launch.variables import THREAD_VARIABLES
from pytest_throughput.launch.worker_process import Worker, WorkerTrial
from pytest_throughput.telemetry.cgroup import available_memory_bytes
from pytest_throughput.worker.protocol import Outcome, Progress, Request
from pytest_throughput.worker.start import worker_arguments

__all__ = ["FreshWorkers", "SharedWorkers"]

_MEMORY_IN_RESERVE = 2.0
"""The memory that has to be available for a trial beside idle workers, in multiples of the most that a worker has held.
The next case may need more than any before, and sweeps double the batch size."""


class _WorkerLauncher(Launcher):
    """The common part of both launchers: starting workers, and ending them with pytest."""

    def __init__(self, config: LauncherConfig) -> None:
        super().__init__(config)
        self._reaper: Reaper | None = None
        self._living: dict[Worker, Placement] = {}

    def close(self) -> None:
        with ExitStack() as stack:  # If an interruption comes while one worker ends, the others are ended too.
            if self._reaper is not None:
                stack.callback(self._reaper.close)
                self._reaper = None
            for worker in list(self._living):
                stack.callback(self._close_worker, worker)

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
            worker_arguments(self.config.allocator, self.config.variables.chosen(os.environ)),
            memory_limit_bytes=self.config.memory_limit_bytes,
            reaper=self._reaper,
        )
        self._living[worker] = placement
        return worker

    def _close_worker(self, worker: Worker) -> None:
        if self._living.pop(worker, None) is not None:
            worker.close()

    def _variables(self, placement: Placement) -> dict[str, str]:
        """Return the environment variables that the worker is given, which a wrapper of it may lose."""
        threads = dict.fromkeys(THREAD_VARIABLES, str(self.config.threads))
        chosen = self.config.variables.chosen(os.environ)
        return {**threads, **dict(placement.variables), **chosen, **dict(placement.device.visibility)}

    def _environment(self, placement: Placement, staged: OwnFolder) -> Mapping[str, str]:
        variables = {**self.config.variables.inherited(os.environ), **self._variables(placement)}
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


class SharedWorkers(_WorkerLauncher):
    """``--throughput-isolation framework``: trials with equal placements share a worker.

    Workers stay alive beside each other while trials of one number run on the CPU and memory suffices, since frameworks
    are measured in turn. A worker is kept only if its last trial left no work and no changed settings behind: what is
    alive beside a trial is idle, and takes memory alone.
    """

    isolation = "framework"

    def __init__(self, config: LauncherConfig) -> None:
        super().__init__(config)
        self._largest_bytes = 0
        """The most memory that a worker has held so far."""

    def start(self, request: Request, placement: Placement) -> LaunchedTrial:
        worker = self._worker_for(placement)

        def release(outcome: Outcome | None) -> None:
            self._largest_bytes = max(self._largest_bytes, worker.process.peak_memory_bytes)
            # After an error, the device's context may be unusable, or its memory fragmented.
            if outcome is None or outcome.status not in ("ok", "unsupported") or not worker.is_reusable:
                self._close_worker(worker)

        return self._begin(worker, request, placement, release)

    def run(self, request: Request, placement: Placement) -> tuple[Outcome, str]:
        """Run a whole trial. It is run once more, alone, if memory did not suffice beside idle workers.

        Then it goes on after the last part that was saved, if any was; files of earlier parts may be gone by now.
        """
        saved = None

        def on_progress(progress: Progress) -> None:
            nonlocal saved
            if progress.ended_part is not None and progress.ended_part.is_saved:
                saved = progress.ended_part
            self.config.on_progress(progress)

        outcome, stderr = self._run(request, placement, on_progress)
        if outcome.status == "out_of_memory" and self._living:
            for worker in list(self._living):
                self._close_worker(worker)
            if request.kept_parts is not None and saved is not None:
                request = replace(request, kept_parts=replace(request.kept_parts, last=saved))
            outcome, stderr = super().run(request, placement)
        return outcome, stderr

    def _worker_for(self, placement: Placement) -> Worker:
        # A step may have removed modules that a live worker still has to import.
        is_whole = self.config.staged.is_whole
        for worker in list(self._living):
            if not (worker.is_alive and is_whole):
                self._close_worker(worker)
        same = next((worker for worker, other in self._living.items() if other == placement), None)
        held_bytes = 0 if same is None else same.process.memory_bytes
        for worker, other in list(self._living.items()):
            if worker is not same and not self._may_wait(other, placement, held_bytes):
                self._close_worker(worker)
        return same or self._new_worker(placement)

    def _may_wait(self, idle: Placement, running: Placement, held_bytes: int) -> bool:
        """Return whether an idle worker may stay alive while a trial runs in a worker that holds so much already."""
        on_cpu = not any(device.is_gpu for device in (*idle.devices, *running.devices))
        within_bytes = available_memory_bytes() + held_bytes
        return idle.trial == running.trial and on_cpu and within_bytes >= _MEMORY_IN_RESERVE * self._largest_bytes


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
