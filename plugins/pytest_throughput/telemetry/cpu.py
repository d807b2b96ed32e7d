"""The model of the CPU, and how many physical cores this process may use."""

from __future__ import annotations

import math
import os
import platform
from pathlib import Path

from pytest_throughput.telemetry.cgroup import PROC, SYS, cpu_quota, read_text

__all__ = ["cores_of_processors", "cpu_model", "usable_physical_cores"]


def cpu_model(proc: Path = PROC) -> str | None:
    """Return the model name that the processor reports; None where unknown."""
    try:
        for line in (proc / "cpuinfo").read_text(errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() in ("model name", "Model", "cpu model"):
                return value.strip()
    except OSError:
        pass
    return platform.processor() or None


def usable_physical_cores(proc: Path = PROC, sys: Path = SYS) -> int:
    """Return how many physical cores the affinity and the cgroup's CPU quota leave this process; at least 1."""
    cores, quota = len(cores_of_processors(sys)), cpu_quota(proc, sys)
    return max(1, min(cores, math.floor(quota) if quota is not None else cores))


def cores_of_processors(sys: Path = SYS) -> dict[str, list[int]]:
    """Return the processors that this process may use, by a name of the physical core that they belong to."""
    if hasattr(os, "sched_getaffinity"):
        logical = os.sched_getaffinity(0)
    else:
        logical = set(range(os.cpu_count() or 1))
    cores: dict[str, list[int]] = {}
    for number in sorted(logical):
        # Hardware threads of one core name the same siblings; without that file each counts as a core.
        siblings = read_text(sys / f"devices/system/cpu/cpu{number}/topology/thread_siblings")
        cores.setdefault(siblings or str(number), []).append(number)
    return cores
