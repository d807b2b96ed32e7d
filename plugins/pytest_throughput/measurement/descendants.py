"""Processor time of the descendants of this process, including those that are still running.

``getrusage`` counts a child only when it has ended and was waited for. The time of a running child is read from Linux's
``/proc`` (see proc(5)) and from its own CPU clock; on other systems only ended children are known.
"""

from __future__ import annotations

import os
import resource
import time
from typing import Dict, List, NamedTuple, Optional, Tuple

__all__ = ["DescendantsClock"]

_Identity = Tuple[int, int]
"""A process id, and the start of the process in clock ticks: process ids are reused."""


class _Process(NamedTuple):
    """The processor time of one process, in seconds."""

    own: float
    waited_for: float
    """The time of the ended descendants that the process, or a child of it, has waited for."""


class DescendantsClock:
    """Adds up the processor time that descendants of this process have taken since the first reading.

    A process that was seen once is followed until it ends, even if its parent ends first. A process that loses its
    parent before it was seen is not counted. If no process waits for a child, its time after the last reading is not
    counted.
    """

    def __init__(self) -> None:
        self._seconds = 0.0
        self._living: Optional[Dict[_Identity, _Process]] = None
        self._waited_for = 0.0

    def read(self) -> float:
        """Return the seconds so far, which never decrease. Without a child, a reading takes about a microsecond."""
        before, waited_for_before = self._living, self._waited_for
        living = _living_descendants(before or {})
        self._living = living
        self._waited_for = _waited_for_by_this_process() + sum(each.waited_for for each in living.values())
        if before is None:
            return self._seconds
        advanced = sum(now.own - before[who].own if who in before else now.own for who, now in living.items())
        # The time of a process that was waited for is added to its parent's; this part of it was counted before.
        known = sum(then.own for who, then in before.items() if who not in living)
        self._seconds += max(0.0, advanced) + max(0.0, self._waited_for - waited_for_before - known)
        return self._seconds


def _living_descendants(known: Dict[_Identity, _Process]) -> Dict[_Identity, _Process]:
    """Return the descendants of this process, and the known ones that have lost their parents, with descendants."""
    living: Dict[_Identity, _Process] = {}
    _add(_children_of("self") if _has_children() else [], living)
    for identity in known:
        if identity not in living:
            number, _ = identity
            found = _read_process(number)
            if found is not None and found[0] == identity:
                _add([number], living)
    return living


def _add(numbers: List[int], living: Dict[_Identity, _Process]) -> None:
    """Add these processes and their descendants."""
    while numbers:
        number = numbers.pop()
        found = _read_process(number)
        if found is not None and found[0] not in living:
            living[found[0]] = found[1]
            numbers += _children_of(str(number))


def _has_children() -> bool:
    """Return whether there is a child to wait for. This takes 0.5 µs; listing the children takes at least 40 µs."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    except AttributeError:
        pass  # macOS does not have it before Python 3.13.
    return True


def _children_of(process: str) -> List[int]:
    """Return the children of all threads of a process; none where the kernel does not list them."""
    children: List[int] = []
    try:
        for thread in os.listdir(f"/proc/{process}/task"):
            with open(f"/proc/{process}/task/{thread}/children", encoding="ascii") as listed:
                children += map(int, listed.read().split())
    except (OSError, ValueError):
        pass  # The thread or the process has ended.
    return children


def _read_process(number: int) -> Optional[Tuple[_Identity, _Process]]:
    """Return the identity and the times of a process; None if it has ended, or its times are hidden."""
    try:
        with open(f"/proc/{number}/stat", "rb") as stat:
            # The command, in brackets, may hold anything. The first field after it is the third of proc(5).
            fields = stat.read().rpartition(b")")[2].split()
        user, system, user_waited_for, system_waited_for = map(int, fields[11:15])
        began_at = int(fields[19])
    except (OSError, ValueError, IndexError):
        return None
    ticks_per_second = os.sysconf("SC_CLK_TCK")
    try:
        # The clock of clock_getcpuclockid(3): it is exact, whereas a tick lasts 10 ms.
        own = time.clock_gettime((~number << 3) | 2)
    except OSError:
        own = (user + system) / ticks_per_second
    return (number, began_at), _Process(own, (user_waited_for + system_waited_for) / ticks_per_second)


def _waited_for_by_this_process() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
