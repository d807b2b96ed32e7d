"""The model of the CPU, and how many physical cores this process may use."""

from __future__ import annotations

import math
import os
import platform
from pathlib import Path

__all__ = ["cpu_model", "usable_physical_cores"]

_PROC = Path("/proc")
_SYS = Path("/sys")


def cpu_model(proc: Path = _PROC) -> str | None:
    """Return the model name that the processor reports; None where unknown."""
    try:
        for line in (proc / "cpuinfo").read_text(errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() in ("model name", "Model", "cpu model"):
                return value.strip()
    except OSError:
        pass
    return platform.processor() or None


def usable_physical_cores(proc: Path = _PROC, sys: Path = _SYS) -> int:
    """Return how many physical cores the affinity and the cgroup's CPU quota leave this process; at least 1."""
    if hasattr(os, "sched_getaffinity"):
        logical = os.sched_getaffinity(0)
    else:
        logical = set(range(os.cpu_count() or 1))
    # Hardware threads of one core name the same siblings; without that file each counts as a core.
    cores = {_read(sys / f"devices/system/cpu/cpu{number}/topology/thread_siblings") or number for number in logical}
    quota = _cgroup_quota(proc, sys)
    return max(1, min(len(cores), math.floor(quota) if quota is not None else len(cores)))


def _cgroup_quota(proc: Path, sys: Path) -> float | None:
    """Return how many CPUs the tightest cgroup (version 2, else 1) grants this process; None if unlimited."""
    quotas = []
    for line in (_read(proc / "self/cgroup") or "").splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        inside = path.strip("/")
        if controllers == "":
            folder = sys / "fs/cgroup" / inside
            while True:
                quotas.append(_ratio(*[*(_read(folder / "cpu.max") or "").split(), "", ""][:2]))
                if folder in (sys / "fs/cgroup", folder.parent):
                    break
                folder = folder.parent
        elif "cpu" in controllers.split(","):
            folder = sys / "fs/cgroup" / controllers / inside
            quotas.append(_ratio(_read(folder / "cpu.cfs_quota_us") or "", _read(folder / "cpu.cfs_period_us") or ""))
    known = [quota for quota in quotas if quota is not None]
    return min(known) if known else None


def _ratio(quota: str, period: str) -> float | None:
    try:
        ratio = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):
        return None
    return ratio if ratio > 0 else None


def _read(file: Path) -> str | None:
    try:
        return file.read_text(errors="replace").strip()
    except OSError:
        return None
