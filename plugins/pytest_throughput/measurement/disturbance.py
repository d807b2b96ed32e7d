"""What the rest of the machine took from a round: processors that its threads wanted and did not get.

Read from Linux's ``/proc`` and ``getrusage``, outside the clock readings; elsewhere all is unknown.
"""

from __future__ import annotations

import os
import resource
import time
from dataclasses import dataclass
from typing import Dict, List, NamedTuple, Optional, Set

__all__ = ["Disturbance", "DisturbanceWatch"]

_DISTURBED_SHARE = 0.05
_BLOCK_SECONDS = 0.5
"""The machine's idle time is counted in ticks of 10 ms, so shorter rounds share a reading."""


@dataclass(frozen=True)
class Disturbance:
    """What kept one round from running."""

    waiting_seconds: Optional[float]
    """Summed over the process's threads: runnable, but not running."""
    involuntary_switches: int
    foreign_seconds: Optional[float]
    """Processor seconds that went to others, the hypervisor included; shared out among a block's rounds."""
    steal_seconds: Optional[float]
    """Those that the hypervisor took."""

    def is_large_for(self, round_seconds: float) -> bool:
        """Whether the round is to be marked as disturbed.

        A framework's threads wait for each other, too, where it starts more of them than there are
        cores (TensorFlow does); so waiting counts only where others did run meanwhile.
        """
        limit = _DISTURBED_SHARE * round_seconds
        waited = (self.waiting_seconds or 0.0) > limit and (self.foreign_seconds or 0.0) > limit
        return waited or (self.steal_seconds or 0.0) > limit


class _Processors(NamedTuple):
    """A reading of the processors that this process may use; all in seconds."""

    clock: float
    idle: float
    steal: float
    own: float


class _Round(NamedTuple):
    seconds: float
    waiting_seconds: Optional[float]
    involuntary_switches: int


class DisturbanceWatch:
    """Reads the counters around each round, and remembers what they said.

    The files of the threads are held open: reading them takes microseconds, and disturbs the next
    round less than opening them would. Threads born after the last ``start`` are not seen.
    """

    def __init__(self) -> None:
        self._schedstats: Dict[str, int] = {}
        self._waiting_nanoseconds: Optional[int] = None
        self._switches = 0
        self._affinity: Set[int] = set()
        self._processors: Optional[_Processors] = None
        self._block: List[_Round] = []
        self._disturbances: List[Disturbance] = []

    def __enter__(self) -> DisturbanceWatch:
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in self._schedstats.values():
            os.close(descriptor)
        self._schedstats.clear()

    def start(self) -> None:
        """Looks for the process's threads, and begins to count."""
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
        self._processors = self._read_processors()

    def before_round(self) -> None:
        """Reads the counters that ``after_round`` compares with."""
        self._waiting_nanoseconds = self._read_waiting_nanoseconds()
        self._switches = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw

    def after_round(self, round_seconds: float) -> None:
        """Notes what happened since ``before_round``, in a round that took so many seconds."""
        waiting = self._read_waiting_nanoseconds()
        switches = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw - self._switches
        waiting_seconds = None
        if waiting is not None and self._waiting_nanoseconds is not None:
            # A thread that ends takes its count along: never report that as negative waiting.
            waiting_seconds = max(0, waiting - self._waiting_nanoseconds) / 1e9
        self._block.append(_Round(round_seconds, waiting_seconds, switches))
        if self._processors is None or time.perf_counter() - self._processors.clock >= _BLOCK_SECONDS:
            self._end_block()

    def disturbances(self) -> List[Disturbance]:
        """One for each round, in their order."""
        self._end_block()
        return self._disturbances

    def _end_block(self) -> None:
        """Shares out what others used since the last reading among the rounds since then."""
        before, now = self._processors, self._read_processors()
        foreign_share = steal_share = None
        if before is not None and now is not None and now.clock - before.clock >= _BLOCK_SECONDS / 2:
            elapsed = now.clock - before.clock
            available = elapsed * len(self._affinity)
            used = available - (now.idle - before.idle) - (now.own - before.own)
            foreign_share = max(0.0, used) / elapsed
            steal_share = max(0.0, now.steal - before.steal) / elapsed
        for each in self._block:
            self._disturbances.append(
                Disturbance(
                    each.waiting_seconds,
                    each.involuntary_switches,
                    None if foreign_share is None else foreign_share * each.seconds,
                    None if steal_share is None else steal_share * each.seconds,
                )
            )
        self._block.clear()
        self._processors = now

    def _read_waiting_nanoseconds(self) -> Optional[int]:
        total = 0
        ended = []
        for thread, descriptor in self._schedstats.items():
            try:
                total += int(os.pread(descriptor, 128, 0).split()[1])
            except (OSError, IndexError, ValueError):
                ended.append(thread)
        for thread in ended:
            os.close(self._schedstats.pop(thread))
        return total if self._schedstats else None

    def _read_processors(self) -> Optional[_Processors]:
        """None where ``/proc/stat`` (see proc(5)) cannot be read."""
        idle_ticks = steal_ticks = lines = 0
        # One sum over all processors loses less to rounding than a sum of rounded ones.
        everywhere = len(self._affinity) == os.cpu_count()
        try:
            with open("/proc/stat", encoding="ascii") as stat:
                for line in stat:
                    name, *fields = line.split()
                    if name == "cpu" if everywhere else name[3:].isdecimal() and int(name[3:]) in self._affinity:
                        idle_ticks += int(fields[3]) + int(fields[4])
                        steal_ticks += int(fields[7])
                        lines += 1
                    if not name.startswith("cpu") or (everywhere and lines):
                        break
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
            own=usage.ru_utime + usage.ru_stime,
        )
