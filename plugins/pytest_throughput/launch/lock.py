"""Locks for one run at a time on a GPU or a processor: file locks, which the kernel releases if their holder dies."""

from __future__ import annotations

import fcntl
import os
import stat
import weakref
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from time import sleep

__all__ = ["FOLDER", "Locks", "cpu_names"]

FOLDER = Path("/tmp/pytest-throughput-locks")
"""The folder of the locks, the same for every user and run of a machine. TMPDIR may differ from run to run."""

_FOLDER_MODE = 0o1777
_FILE_MODE = 0o666
_MAX_NOTE_BYTES = 32
_LOOK_SECONDS = 1.0


class Locks:
    """The locks of this run, by the names of processors and GPUs."""

    def __init__(self, waiting: Callable[[str, int | None], object], folder: Path | None = None) -> None:
        """Call ``waiting`` with each name that has to be waited for, and the process that holds it, where known."""
        self._waiting = waiting
        self._folder = FOLDER if folder is None else folder
        self._held: dict[str, int] = {}
        _all_locks.add(self)

    def hold(self, names: Iterable[str], give_up: Callable[[], bool] | None = None) -> None:
        """Sleep until this run holds all of these locks, in addition to those that it holds already.

        ``give_up``: called once a second while other runs are waited for. Raise TimeoutError if it returns true, and
        OSError where locks are impossible.
        """
        wanted = {*self._held, *names}
        if wanted == set(self._held):
            return
        # All runs take them in the same order, so that no two of them wait for each other.
        self.release()
        for name in sorted(wanted):
            self._held[name] = self._lock(name, give_up)

    def check(self, names: Iterable[str]) -> None:
        """Raise OSError if a lock of one of these names is impossible."""
        for name in names:
            os.close(self._open(name))
        if self._folder.exists() and not os.access(self._folder, os.X_OK):
            raise OSError(f"cannot use {self._folder}{_whose(self._folder)}")

    def release(self) -> None:
        """Release all locks."""
        for descriptor in self._held.values():
            os.close(descriptor)
        self._held.clear()

    def _lock(self, name: str, give_up: Callable[[], bool] | None) -> int:
        descriptor = self._open(name)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._waiting(name, _holder(descriptor))
                _wait(descriptor, give_up)
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
                self._folder.chmod(_FOLDER_MODE)
        file = self._folder / f"{name}.lock"
        # The file of another user may not be writable; a lock needs no more than an open file.
        for flags in (os.O_RDWR, os.O_RDWR | os.O_CREAT | os.O_EXCL, os.O_RDONLY):
            with suppress(FileNotFoundError, FileExistsError, PermissionError):
                descriptor = os.open(file, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, _FILE_MODE)
                status = os.fstat(descriptor)
                # A file with a second name may be a user's own file, and this process would write its id into it.
                if stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
                    if flags & os.O_CREAT:
                        os.fchmod(descriptor, _FILE_MODE)  # Other users have to open the file, whatever the umask.
                    return descriptor
                os.close(descriptor)
        raise OSError(f"cannot open {file}{_whose(self._folder)}")


def _wait(descriptor: int, give_up: Callable[[], bool] | None) -> None:
    if give_up is None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return
    while not give_up():
        sleep(_LOOK_SECONDS)
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
    raise TimeoutError("others still hold the lock")


def _whose(folder: Path) -> str:
    """Return how to mend a folder that another user owns and has closed; an empty text for any other folder."""
    with suppress(OSError):
        status = folder.lstat()
        if status.st_uid != os.geteuid() and stat.S_IMODE(status.st_mode) != _FOLDER_MODE:
            owner = f"user {status.st_uid}, with mode {stat.S_IMODE(status.st_mode):o}"
            return f" (the folder belongs to {owner}; its owner can mend it with chmod 1777 {folder}, or remove it)"
    return ""


def cpu_names() -> list[str]:
    """Return the names of the processors that this process may use: runs kept apart by ``taskset`` need not wait."""
    numbers = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    return [f"cpu-{number:05}" for number in numbers]


def _holder(descriptor: int) -> int | None:
    with suppress(OSError, ValueError):
        return int(os.pread(descriptor, _MAX_NOTE_BYTES, 0))
    return None


_all_locks: weakref.WeakSet[Locks] = weakref.WeakSet()


def _release_in_child() -> None:
    """Release the locks in a forked child, which may outlive this process and must not keep them."""
    for locks in list(_all_locks):
        locks.release()


os.register_at_fork(after_in_child=_release_in_child)
