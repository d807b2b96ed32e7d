"""Read what control groups, such as those of a container, do to this process: limits of processors and memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil

__all__ = ["PROC", "SYS", "available_memory_bytes", "cpu_quota", "read_text", "throttled_seconds"]

PROC = Path("/proc")
SYS = Path("/sys")

_THROTTLED_UNITS = {"throttled_usec": 1e-6, "throttled_time": 1e-9}
"""The names in ``cpu.stat`` of version 2 and 1, with their units in seconds."""


def cpu_quota(proc: Path = PROC, sys: Path = SYS) -> float | None:
    """Return how many CPUs the tightest cgroup (version 2, else 1) grants this process; None if unlimited."""
    quotas = []
    for folder in _folders("cpu", proc, sys):
        parts = (read_text(folder / "cpu.max") or "").split()
        if not parts:
            parts = [read_text(folder / f"cpu.cfs_{name}_us") or "" for name in ("quota", "period")]
        quotas.append(_ratio(*[*parts, "", ""][:2]))
    return min((quota for quota in quotas if quota is not None), default=None)


def throttled_seconds(proc: Path = PROC, sys: Path = SYS) -> float | None:
    """Return for how long a cgroup has held its processes up because its CPU quota was used up; None if unknown.

    It is the longest such time of the cgroups that this process is in, since they were made.
    """
    found = []
    for folder in _folders("cpu", proc, sys):
        for line in (read_text(folder / "cpu.stat") or "").splitlines():
            name, _, value = line.partition(" ")
            if name in _THROTTLED_UNITS and value.isdecimal():
                found.append(int(value) * _THROTTLED_UNITS[name])
    return max(found, default=None)


def available_memory_bytes(proc: Path = PROC, sys: Path = SYS) -> int:
    """Return how much memory this process and its children can still take: of the machine, and of each cgroup.

    A cgroup's cached files do not count as taken, since the kernel drops them when memory is needed.
    """
    available = int(psutil.virtual_memory().available)
    for folder in _folders("memory", proc, sys):
        for limit, taken in (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")):
            texts = read_text(folder / limit), read_text(folder / taken)
            if all(text is not None and text.isdecimal() for text in texts):
                most, current = map(int, filter(None, texts))
                available = min(available, max(0, most - current + _cached_bytes(folder)))
    return available


def _folders(controller: str, proc: Path, sys: Path) -> Iterator[Path]:
    """Yield the folders of the cgroups with the controller that this process is in, and those of their parents."""
    for line in (read_text(proc / "self/cgroup") or "").splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers and controller not in controllers.split(","):
            continue
        root = sys / "fs/cgroup" / controllers
        folder = root / path.strip("/")
        yield folder
        while folder not in (root, folder.parent):
            folder = folder.parent
            yield folder


def _cached_bytes(folder: Path) -> int:
    for line in (read_text(folder / "memory.stat") or "").splitlines():
        name, _, value = line.partition(" ")
        if name in ("inactive_file", "total_inactive_file") and value.isdecimal():
            return int(value)
    return 0


def _ratio(quota: str, period: str) -> float | None:
    try:
        ratio = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):
        return None
    return ratio if ratio > 0 else None


def read_text(file: Path) -> str | None:
    """Return what a file of the kernel says; None where there is no such file."""
    try:
        return file.read_text(errors="replace").strip()
    except OSError:
        return None
