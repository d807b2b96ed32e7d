"""What the rest of the machine took from a round: CPU time that its threads wanted and did not get.

Read from Linux's ``/proc`` and ``getrusage``, outside the clock readings; elsewhere all is unknown.
"""

from __future__ import annotations

import os
import resource
from dataclasses import dataclass
from typing import Dict, Optional

__all__ = ["Disturbance", "DisturbanceWatch"]

_DISTURBED_SHARE = 0.05
"""A round is disturbed when it was kept from running for more than this share of its seconds.

Waking threads on an idle machine cost below 1 %; a busy neighbour on one of two cores, 10 to 100 %."""
_STEAL_TICK_SECONDS = 0.01
"""Resolution of the steal counter: it cannot be attributed to rounds much shorter than this."""


@dataclass(frozen=True)
class Disturbance:
    """What kept one round from running."""

    waiting_seconds: Optional[float]
    """Summed over the process's threads: runnable, but not running."""
    involuntary_switches: int
    steal_seconds: Optional[float]
    """Summed over the machine's CPUs: taken by the hypervisor; None for rounds that it was not read for."""

    def is_large_for(self, round_seconds: float) -> bool:
        """Whether the round is to be marked as disturbed."""
        lost = (self.waiting_seconds or 0.0) + (self.steal_seconds or 0.0)
        return lost > _DISTURBED_SHARE * round_seconds


class DisturbanceWatch:
    """Reads the counters around each round.

    The files of the threads are held open: reading them takes microseconds and disturbs the next
    round less than opening them would. Threads born after the last ``refresh`` are not seen.
    """

    def __init__(self) -> None:
        self._schedstats: Dict[str, int] = {}
        self._stat: Optional[int] = None
        self._waiting_nanoseconds: Optional[int] = None
        self._switches = 0
        self._steal_ticks: Optional[int] = None
        self._seconds_since_steal = 0.0
        self._ticks_per_second = float(os.sysconf("SC_CLK_TCK"))

    def __enter__(self) -> DisturbanceWatch:
        try:
            self._stat = os.open("/proc/stat", os.O_RDONLY)
        except OSError:
            self._stat = None
        self.refresh()
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in self._schedstats.values():
            os.close(descriptor)
        self._schedstats.clear()
        if self._stat is not None:
            os.close(self._stat)
            self._stat = None

    def refresh(self) -> None:
        """Looks for new threads, and starts counting afresh."""
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
        self._steal_ticks = self._read_steal_ticks()
        self._seconds_since_steal = 0.0
        self.before_round()

    def before_round(self) -> None:
        """Reads the counters that ``after_round`` compares with."""
        self._waiting_nanoseconds = self._read_waiting_nanoseconds()
        self._switches = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw

    def after_round(self, round_seconds: float) -> Disturbance:
        """What happened since ``before_round``, in a round that took so many seconds."""
        waiting = self._read_waiting_nanoseconds()
        switches = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
        waiting_seconds = None
        if waiting is not None and self._waiting_nanoseconds is not None:
            # A thread that ends takes its count along: never report that as negative waiting.
            waiting_seconds = max(0, waiting - self._waiting_nanoseconds) / 1e9
        return Disturbance(waiting_seconds, switches - self._switches, self._steal_seconds(round_seconds))

    def _steal_seconds(self, round_seconds: float) -> Optional[float]:
        self._seconds_since_steal += round_seconds
        if self._seconds_since_steal < _STEAL_TICK_SECONDS:
            return None
        self._seconds_since_steal = 0.0
        before, self._steal_ticks = self._steal_ticks, self._read_steal_ticks()
        if before is None or self._steal_ticks is None:
            return None
        return (self._steal_ticks - before) / self._ticks_per_second

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

    def _read_steal_ticks(self) -> Optional[int]:
        if self._stat is None:
            return None
        try:
            fields = os.pread(self._stat, 512, 0).split(b"\n", 1)[0].split()
            return int(fields[8])
        except (OSError, IndexError, ValueError):
            return None
