"""The interface of launchers, which start the processes that run trials."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol

from pytest_throughput.launch.interpreters import Interpreter
from pytest_throughput.launch.staging import StagedPath
from pytest_throughput.launch.variables import WorkerVariables
from pytest_throughput.measurement.allocator import TUNED
from pytest_throughput.telemetry.device import Device
from pytest_throughput.worker.protocol import Outcome, Request
from pytest_throughput.worker.running_trial import OnProgress, RunningTrial, run_to_end
from pytest_throughput.worker.trial import OnError

__all__ = ["LaunchedTrial", "Launcher", "LauncherConfig", "Placement"]


@dataclass(frozen=True)
class Placement:
    """The interpreter, devices and variables of a trial. Trials with equal placements may share a worker."""

    interpreter: Interpreter
    trial: int
    devices: tuple[Device, ...] = (Device(),)
    """The devices of the trial, which are its hardware."""
    variables: tuple[tuple[str, str], ...] = ()
    """Environment variables that the case needs; those that the user has chosen win over them."""

    @property
    def device(self) -> Device:
        """The only device."""
        (device,) = self.devices
        return device


@dataclass(frozen=True)
class LauncherConfig:
    """The settings with which the processes of a run are started and watched."""

    staged: StagedPath
    """The packages that workers import, whatever interpreter they run in."""
    pythonpath: Sequence[Path] = field(default=())
    """Further folders that the target may be imported from."""
    threads: int = 1
    """The number of intra-op threads."""
    variables: WorkerVariables = field(default_factory=WorkerVariables)
    """The environment variables of workers."""
    allocator: str = TUNED
    """``tuned``, ``system``, or the path of a library that workers preload."""
    timeout_seconds: float = 600.0
    """The most seconds that one trial may take."""
    memory_limit_bytes: int | None = None
    """The most memory of a worker and its descendants together; None for no limit."""
    on_error: OnError | None = None
    """A function that is called with the exception that ended a trial in this process."""
    on_progress: OnProgress = lambda progress: None
    """A function that is called with the progress of a whole trial, while nothing is measured."""


class LaunchedTrial(RunningTrial, Protocol):
    """A trial whose process the launcher has started, or starts when the trial is opened."""

    @property
    def stderr(self) -> str:
        """The text that the process has written to standard error, once the trial is closed."""

    def stop(self) -> bool:
        """Stop its process until the next call. Return false if it cannot be reached, and only waits for that call.

        Raise PermissionError if a process belongs to another user.
        """

    def kill(self) -> None:
        """Give the trial up at once, and end its process."""


class Launcher(ABC):
    """Starts trials. There is one class for each value of ``--throughput-isolation``."""

    isolation: ClassVar[str]
    """The value of the option."""
    uses_workers: ClassVar[bool] = True
    """Whether trials run in worker processes, and not in this process."""
    starts_afresh: ClassVar[bool] = False
    """Whether each trial has a process of its own."""

    def __init__(self, config: LauncherConfig) -> None:
        self.config = config

    @abstractmethod
    def start(self, request: Request, placement: Placement) -> LaunchedTrial:
        """Return a trial that the caller takes through its calls, from ``open`` to ``close``.

        Raise OSError if the packages that workers import cannot be copied.
        """

    def run(self, request: Request, placement: Placement) -> tuple[Outcome, str]:
        """Run a whole trial. Return its outcome, and the text that its process wrote to standard error meanwhile."""
        return self._run(request, placement, self.config.on_progress)

    def _run(self, request: Request, placement: Placement, on_progress: OnProgress) -> tuple[Outcome, str]:
        trial = self.start(request, placement)
        try:
            outcome = run_to_end(trial, on_progress)
        except BaseException:
            trial.kill()
            raise
        return outcome, trial.stderr

    @abstractmethod
    def close(self) -> None:
        """End every process that is left."""
