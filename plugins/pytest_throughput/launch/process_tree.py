"""A worker and its descendants: how much memory they hold, how to stop them for a while, and how to end them."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import psutil

__all__ = ["ProcessTree"]

_READINGS_OF_A_LIST = 10
"""The readings of the memory for each list of the children: a list takes reading the whole process table."""


class ProcessTree:
    """A process with its descendants. The processes of a container are not among them."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._members = [self._root]
        self._readings = 0
        self._stopped: list[psutil.Process] = []

    def members(self) -> list[psutil.Process]:
        """Return all processes that are alive."""
        with suppress(psutil.Error):
            return [self._root, *self._root.children(recursive=True)]
        return self._members

    def memory_bytes(self) -> int:
        """Return the sum of resident and swapped memory. Pages that two processes share are counted twice."""
        if self._readings % _READINGS_OF_A_LIST == 0:
            self._members = self.members()
        self._readings += 1
        return sum(_memory_bytes(each, "VmRSS", "VmSwap") for each in self._members)

    def peak_bytes(self) -> int:
        """Return the sum of the most memory that each process which is alive has held so far."""
        return sum(_memory_bytes(each, "VmHWM") for each in self.members())

    def stop(self, pid: object) -> bool:
        """Stop all processes by SIGSTOP until ``resume``, if one of them has that id.

        Otherwise the measured process is elsewhere, and the one known here has only started it, as ``ssh`` does: do
        nothing and return false. Raise PermissionError if a process belongs to another user.
        """
        members = self.members()
        if not any(member.pid == pid for member in members):
            return False
        for member in members:
            self._stopped.append(member)  # Before it is stopped: an interruption leaves none that `resume` misses.
            try:
                member.suspend()
            except psutil.AccessDenied:
                self.resume()
                raise PermissionError(f"process {member.pid} of the worker belongs to another user") from None
            except psutil.Error:
                continue
        return True

    def resume(self) -> None:
        """Let the processes that were stopped go on."""
        while self._stopped:
            with suppress(psutil.Error):
                self._stopped[-1].resume()
            self._stopped.pop()

    @staticmethod
    def kill(members: list[psutil.Process]) -> None:
        """Kill the processes that are still alive. psutil does not kill another process with a reused id."""
        for member in members:
            with suppress(psutil.Error):
                member.kill()


def _memory_bytes(process: psutil.Process, *names: str) -> int:
    """Return the sum of some fields of ``/proc/PID/status``; where there is none, the resident memory.

    Swapped memory is a field of its own: a process that swaps might never reach a limit on the resident part.
    """
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        with suppress(psutil.Error):
            return int(process.memory_info().rss)
        return 0
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return sum(1024 * int(fields[name].split()[0]) for name in names if name in fields)
