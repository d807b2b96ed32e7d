"""One run at a time on a GPU, or on a processor: file locks, which the kernel lets go when their holder dies."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

__all__ = ["FOLDER", "Locks", "cpu_names"]

FOLDER = Path("/tmp/pytest-throughput-locks")
"""The same for every user and every run of a machine: not the TMPDIR, which may be a run's own."""

_MAX_NOTE_BYTES = 32


class Locks:
    """Locks of this run, by the name of what is locked."""

    def __init__(self, waiting: Callable[[str, int | None], object], folder: Path | None = None) -> None:
        """``waiting`` is told the name that is waited for, and the process that holds it, where known."""
        self._waiting = waiting
        self._folder = FOLDER if folder is None else folder
        self._held: dict[str, int] = {}

    def hold(self, names: Iterable[str]) -> None:
        """Returns when this run holds all of them, beside those that it holds; sleeps while others do.

        Raises OSError where locks cannot be had at all.
        """
        wanted = {*self._held, *names}
        if wanted == set(self._held):
            return
        # Everybody takes them in the same order, so that no two runs wait for each other.
        self.release()
        for name in sorted(wanted):
            self._held[name] = self._lock(name)

    def release(self) -> None:
        """Lets all of them go."""
        for descriptor in self._held.values():
            os.close(descriptor)
        self._held.clear()

    def _lock(self, name: str) -> int:
        descriptor = self._open(name)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._waiting(name, _holder(descriptor))
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            with suppress(OSError):  # Another user's file can be locked, but not written.
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _open(self, name: str) -> int:
        if not self._folder.is_dir():
            with suppress(FileExistsError):
                self._folder.mkdir()
                self._folder.chmod(0o1777)
        file = self._folder / f"{name}.lock"
        # A file that somebody else made may refuse to be written; to be locked, it need only be open.
        for flags in (os.O_RDWR, os.O_RDWR | os.O_CREAT | os.O_EXCL, os.O_RDONLY):
            with suppress(FileNotFoundError, FileExistsError, PermissionError):
                descriptor = os.open(file, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
                if stat.S_ISREG(os.fstat(descriptor).st_mode):
                    return descriptor
                os.close(descriptor)
        raise OSError(f"cannot open {file}")


def cpu_names() -> list[str]:
    """The names of the processors that this process may use: runs kept apart by ``taskset`` need not wait."""
    numbers = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    return [f"cpu-{number:05}" for number in numbers]


def _holder(descriptor: int) -> int | None:
    with suppress(OSError, ValueError):
        return int(os.pread(descriptor, _MAX_NOTE_BYTES, 0))
    return None
