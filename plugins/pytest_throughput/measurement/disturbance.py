"""Measure how much the rest of the machine disturbed a round: processor time that its threads waited for.

Processes that the measured one has started, such as data loaders, do not belong to the rest of the machine. The
counters are those of Linux's ``/proc`` and of ``getrusage``, read outside the clock readings; on other systems most of
them are unknown.
"""

from __future__ import annotations

import os
import resource
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Dict, List, NamedTuple, Optional, Set

from pytest_throughput.measurement.descendants import DescendantsClock

__all__ = ["Disturbance", "DisturbanceWatch"]

_DISTURBED_SHARE = 0.05
_BLOCK_SECONDS = 0.5
"""The machine's idle time is counted in ticks of 10 ms, so shorter rounds share a reading."""
_LEAST_BLOCK_SECONDS = 0.2
"""The shortest time over which a reading says something: that of the slices of a pair."""


@dataclass(frozen=True)
class Disturbance:
    """How much one round was held up."""

    waiting_seconds: Optional[float]
    """The time in which threads were runnable but not running, summed over the process's threads."""
    longest_wait_seconds: Optional[float]
    """The waiting time of the thread that waited most: the other threads wait for it at the next barrier."""
    involuntary_switches: int
    foreign_seconds: Optional[float]
    """Processor seconds of other processes and of the hypervisor; divided among the rounds that share a reading."""
    steal_seconds: Optional[float]
    """Seconds that the hypervisor took, per processor."""

    def is_large_for(self, round_seconds: float) -> Optional[bool]:
        """Return whether the round counts as disturbed; None where that is unknown.

        The threads of a framework also wait for each other if it starts more threads than there are cores, as
        TensorFlow does. So waiting counts only if other processes ran meanwhile.
        """
        limit = _DISTURBED_SHARE * round_seconds
        if self.steal_seconds is not None and self.steal_seconds > limit:
            return True
        if self.longest_wait_seconds is None:
            return None
        if self.longest_wait_seconds <= limit:
            return False
        return None if self.foreign_seconds is None else self.foreign_seconds > limit

    def __add__(self, other: Disturbance) -> Disturbance:
        """Return the disturbance of two parts of a round. The longest waits may be those of different threads."""
        return Disturbance(
            _sum(self.waiting_seconds, other.waiting_seconds),
            _sum(self.longest_wait_seconds, other.longest_wait_seconds),
            self.involuntary_switches + other.involuntary_switches,
            _sum(self.foreign_seconds, other.foreign_seconds),
            _sum(self.steal_seconds, other.steal_seconds),
        )


def _sum(one: Optional[float], other: Optional[float]) -> Optional[float]:
    """Return the sum of what is known: a part that is too short for a reading adds nothing."""
    known = [each for each in (one, other) if each is not None]
    return sum(known) if known else None


class _Processors(NamedTuple):
    """A reading of the processors that this process may use; all in seconds."""

    clock: float
    idle: float
    steal: float
    own: float
    """Processor seconds of this process and of its descendants."""


class _Round(NamedTuple):
    seconds: float
    waits: Optional[List[float]]
    """The waiting time of each thread."""
    involuntary_switches: int


class DisturbanceWatch:
    """Reads the counters before and after each round, and keeps the differences.

    The files of the threads are held open: reading them takes microseconds, and disturbs the next
    round less than opening them would. Threads born after the last ``start`` are not seen.
    """

    def __init__(self) -> None:
        self._schedstats: Dict[str, int] = {}
        self._waiting_nanoseconds: Dict[str, int] = {}
        self._switches = 0
        self._faults = 0
        self.page_faults = 0
        """The minor page faults of all threads in the rounds so far: pages that the kernel had to provide."""
        self._affinity: Set[int] = set()
        self._previous: Optional[_Processors] = None
        self._processors: Optional[_Processors] = None
        self._block: List[_Round] = []
        self._disturbances: List[Disturbance] = []
        self._descendants = DescendantsClock()

    def __enter__(self) -> DisturbanceWatch:
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in self._schedstats.values():
            _close(descriptor)
        self._schedstats.clear()

    def start(self) -> None:
        """Find the process's threads, and begin to count."""
        try:
            threads = os.listdir("/proc/self/task")
        except OSError:
            threads = []
        for thread in threads:
            if thread not in self._schedstats:
                try:
                    descriptor = os.open(f"/proc/self/task/{thread}/schedstat", os.O_RDONLY)
                except OSError:
                    continue
                self._schedstats[thread] = descriptor
        self._affinity = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
        self._previous = self._processors = self._read_processors()

    def before_round(self) -> None:
        """Read the counters that ``after_round`` compares with."""
        self._waiting_nanoseconds = self._read_waiting_nanoseconds()
        usage = resource.getrusage(resource.RUSAGE_SELF)
        self._switches, self._faults = usage.ru_nivcsw, usage.ru_minflt

    def after_round(self, round_seconds: float) -> None:
        """Note what happened since ``before_round``, in a round that took so many seconds."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        switches = usage.ru_nivcsw - self._switches
        self.page_faults += usage.ru_minflt - self._faults
        waiting, before = self._read_waiting_nanoseconds(), self._waiting_nanoseconds
        waits = [(now - before[thread]) / 1e9 for thread, now in waiting.items() if thread in before]
        self._block.append(_Round(round_seconds, waits or None, switches))
        if self._processors is not None and time.perf_counter() - self._processors.clock >= _BLOCK_SECONDS:
            self._end_block(self._processors)

    def disturbances(self) -> List[Disturbance]:
        """Return the disturbance of each round, in their order."""
        # The last rounds may be too short for a reading of their own, so they share that of the block before.
        self._end_block(self._previous)
        return self._disturbances

    def _end_block(self, before: Optional[_Processors]) -> None:
        """Divide what others used since an earlier reading among the rounds of the block."""
        now = self._read_processors()
        foreign_share = steal_share = None
        if before is not None and now is not None and now.clock - before.clock >= _LEAST_BLOCK_SECONDS:
            elapsed = now.clock - before.clock
            available = elapsed * len(self._affinity)
            foreign_share = max(0.0, available - (now.idle - before.idle) - (now.own - before.own)) / elapsed
            steal_share = max(0.0, now.steal - before.steal) / available
        for seconds, waits, switches in self._block:
            self._disturbances.append(
                Disturbance(
                    None if waits is None else sum(waits),
                    None if waits is None else max(waits),
                    switches,
                    None if foreign_share is None else foreign_share * seconds,
                    None if steal_share is None else steal_share * seconds,
                )
            )
        self._block.clear()
        self._previous, self._processors = self._processors, now

    def _read_waiting_nanoseconds(self) -> Dict[str, int]:
        waiting = {}
        for thread, descriptor in list(self._schedstats.items()):
            try:
                waiting[thread] = int(os.pread(descriptor, 128, 0).split()[1])
            except (OSError, IndexError, ValueError):
                # The thread has ended, or the step has closed the file.
                _close(self._schedstats.pop(thread))
        return waiting

    def _read_processors(self) -> Optional[_Processors]:
        """Read the processors' times; return None where ``/proc/stat`` (see proc(5)) cannot be read."""
        idle_ticks = steal_ticks = lines = 0
        # One sum over all processors loses less to rounding than a sum of rounded ones.
        everywhere = len(self._affinity) == os.cpu_count()
        try:
            with open("/proc/stat", encoding="ascii") as stat:
                for line in stat:
                    name, *fields = line.split()
                    if not name.startswith("cpu") or (everywhere and lines):
                        break
                    if (name == "cpu") if everywhere else (name != "cpu" and int(name[3:]) in self._affinity):
                        idle_ticks += int(fields[3]) + int(fields[4])
                        steal_ticks += int(fields[7])
                        lines += 1
        except (OSError, IndexError, ValueError):
            return None
        if not lines:
            return None
        usage = resource.getrusage(resource.RUSAGE_SELF)
        ticks_per_second = os.sysconf("SC_CLK_TCK")
        return _Processors(
            clock=time.perf_counter(),
            idle=idle_ticks / ticks_per_second,
            steal=steal_ticks / ticks_per_second,
            own=usage.ru_utime + usage.ru_stime + self._descendants.read(),
        )


def _close(descriptor: int) -> None:
    """Close the file of a thread, unless a step has closed it and opened another file with that number."""
    with suppress(OSError):
        if "/schedstat" in os.readlink(f"/proc/self/fd/{descriptor}"):
            os.close(descriptor)
