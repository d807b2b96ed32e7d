"""The launcher of each ``--throughput-isolation``."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_throughput.launch.in_process import InProcess
from pytest_throughput.launch.launcher import Launcher
from pytest_throughput.launch.workers import FreshWorkers, SharedWorkers

__all__ = ["ISOLATIONS"]

_LAUNCHERS: tuple[type[Launcher], ...] = (FreshWorkers, SharedWorkers, InProcess)

ISOLATIONS: Mapping[str, type[Launcher]] = {launcher.isolation: launcher for launcher in _LAUNCHERS}
"""The launchers by the value of the option."""
