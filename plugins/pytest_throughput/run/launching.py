"""What a run launches its trials with, by its settings."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

import pytest

import pytest_throughput
from pytest_throughput.launch.isolation import ISOLATIONS
from pytest_throughput.launch.launcher import LauncherConfig
from pytest_throughput.launch.staging import StagedPath
from pytest_throughput.launch.trials import Trials
from pytest_throughput.options.settings import Settings
from pytest_throughput.worker.running_trial import OnProgress
from pytest_throughput.worker.trial import OnError

__all__ = ["open_trials"]


def open_trials(
    config: pytest.Config,
    settings: Settings,
    stack: ExitStack,
    *,
    on_error: OnError | None,
    on_progress: OnProgress,
) -> Trials:
    """Return what measures the trials of a run; the stack closes it, and removes what it has written.

    ``on_error`` gets the exception of a trial in this process, ``on_progress`` how far a trial is. Raise
    pytest.UsageError for a wrong answer of a hook.
    """
    own = Path(pytest_throughput.__file__).parent
    staged = StagedPath([own, *_packages(config)])
    stack.callback(staged.remove)
    launcher = ISOLATIONS[settings.isolation](
        LauncherConfig(
            staged=staged,
            pythonpath=settings.pythonpath,
            threads=settings.threads,
            variables=settings.variables,
            allocator=settings.allocator,
            timeout_seconds=settings.timeout_seconds,
            memory_limit_bytes=settings.memory_limit_bytes,
            on_error=on_error,
            on_progress=on_progress,
        )
    )
    stack.callback(launcher.close)
    trials = Trials(launcher, settings.peak_tflops)
    stack.callback(trials.close)
    return trials


def _packages(config: pytest.Config) -> list[Path]:
    """Return the folders of the packages that plug-ins bring. Raise pytest.UsageError for what is no folder."""
    packages = []
    for found in config.hook.pytest_throughput_packages(config=config):
        for package in found if isinstance(found, (list, tuple)) else [found]:
            if not isinstance(package, os.PathLike) or not os.path.isdir(package):
                raise pytest.UsageError(
                    f"the hook pytest_throughput_packages returned {found!r}; expected a list of pathlib.Path, each an "
                    "existing folder"
                )
            packages.append(Path(package))
    return packages
