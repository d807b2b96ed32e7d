"""Load of the CPU during a trial, from one reading before and one after it.

Nothing is read during the trial: a process that wakes up to read would take a core from the measured process.
"""

from __future__ import annotations

import os
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["CpuReading", "read_cpu", "summarise_cpu"]

_PROC = Path("/proc")
_SYS = Path("/sys")


@dataclass(frozen=True)
class CpuReading:
    """The state of all CPUs at one moment."""

    at: float
    """Seconds of ``time.monotonic``."""
    load: float | None
    """The mean number of runnable threads over the last minute."""
    ticks: tuple[int, int, int] | None
    """Total, idle and stolen (by the hypervisor) clock ticks, summed over all CPUs."""
    frequency_mhz: float | None
    """The mean frequency of the CPUs that this process may use."""


def read_cpu(proc: Path = _PROC, sys: Path = _SYS) -> CpuReading:
    """Read the state of the CPUs. Fields that cannot be read are None; nothing is raised."""
    try:
        load = os.getloadavg()[0]
    except OSError:
        load = None
    return CpuReading(time.monotonic(), load, _ticks(proc), _frequency_mhz(sys))


def _ticks(proc: Path) -> tuple[int, int, int] | None:
    try:
        with (proc / "stat").open() as stat:
            # user, nice, system, idle, iowait, irq, softirq, steal; guests are counted among the first two (proc(5)).
            fields = [int(field) for field in stat.readline().split()[1:9]]
        return sum(fields), fields[3] + fields[4], fields[7]
    except (OSError, ValueError, IndexError):
        return None


def _frequency_mhz(sys: Path) -> float | None:
    found = []
    numbers = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    for number in numbers:
        try:
            found.append(int((sys / f"devices/system/cpu/cpu{number}/cpufreq/scaling_cur_freq").read_text()) / 1000)
        except (OSError, ValueError):
            continue
    return statistics.fmean(found) if found else None


def summarise_cpu(before: CpuReading, after: CpuReading) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the telemetry fields (null where unknown), and for each unknown field the reason."""
    fields: dict[str, Any] = {
        "seconds": after.at - before.at,
        "load_before": before.load,
        "load_after": after.load,
        "busy_share": None,
        "steal_share": None,
        "frequency_mhz": after.frequency_mhz,
    }
    unknown = {}
    if before.ticks is not None and after.ticks is not None:
        total, idle, stolen = (now - then for now, then in zip(after.ticks, before.ticks, strict=True))
        if total > 0:
            fields["busy_share"], fields["steal_share"] = (total - idle) / total, stolen / total
        else:
            unknown["busy_share"] = unknown["steal_share"] = "the trial was shorter than a tick"
    else:
        unknown["busy_share"] = unknown["steal_share"] = "/proc/stat cannot be read"
    if before.load is None or after.load is None:
        unknown["load_before"] = unknown["load_after"] = "the system does not report it"
    if after.frequency_mhz is None:
        unknown["frequency_mhz"] = "no cpufreq driver, as in most virtual machines"
    return fields, unknown
