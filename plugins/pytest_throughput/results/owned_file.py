"""A file that one run owns until it ends: no other run writes to it, moves it or removes it.

The owner holds an exclusive ``flock`` on the file's own descriptor, which the kernel releases when the owner dies.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
import weakref
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

from pytest_throughput.text import printable

__all__ = ["InUse", "OwnedFile", "owner_note"]

_ATTEMPTS = 100
_READ_BYTES = 2**16
_OWNER_NOTE = re.compile(rb'\{"pid": (\d{1,10}) *, ')


class InUse(Exception):
    """Another run owns the file. The message names the file and, where it is known, the process."""

    def __init__(self, path: Path, pid: int | None) -> None:
        who = "another run" if pid is None else f"the run of process {pid}"
        super().__init__(f"{printable(str(path))} is being written by {who}, which has not ended")


class OwnedFile:
    """A regular file, open and locked by this process."""

    def __init__(self, path: Path, descriptor: int) -> None:
        """Lock an open file. Raise InUse if another run has locked it, and close the descriptor."""
        self.path = path
        self.put_aside: Path | None = None
        """The name that an older file in its place has now; None if there was none."""
        self._descriptor: int | None = descriptor
        self._process = os.getpid()
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(errno.EINVAL, "it is no regular file", str(path))
            # Some network file systems have no locks: a run goes on without them, as docs/reliability.md describes.
            with suppress(OSError):
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise InUse(path, _owner(descriptor)) from None
        except BaseException:
            self.close()
            raise
        _open_files.add(self)

    @classmethod
    def create(cls, path: Path) -> OwnedFile:
        """Create the file, readable by its user alone.

        An older file of that name that holds more than its first line is kept as ``FILE.previous``, or
        ``FILE.previous-2`` and so on: none is overwritten. Raise InUse if a run that has not ended owns the older
        file, OSError if the file cannot be created.
        """
        for _ in range(_ATTEMPTS):
            older = _put_aside(path)
            with suppress(FileExistsError):  # Another run was faster; the next attempt finds its file.
                flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                file = cls(path, os.open(path, flags, 0o600))
                if file.is_in_place:
                    file.put_aside = older
                    return file
                file.close()
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(path))

    @classmethod
    def take_over(cls, path: Path) -> OwnedFile:
        """Own a file that exists. Raise InUse or OSError."""
        file = cls(path, _open(path, os.O_RDWR))
        if not file.is_in_place:
            file.close()
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        return file

    @property
    def is_in_place(self) -> bool:
        """Whether the path still names this very file."""
        with suppress(OSError):
            return os.path.samestat(os.stat(self.path), os.fstat(self.descriptor))
        return False

    @property
    def descriptor(self) -> int:
        """The open descriptor. Raise OSError once the file is closed."""
        if self._descriptor is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF), str(self.path))
        return self._descriptor

    def remove(self) -> None:
        """Remove the file if the path still names it, and close it."""
        if self.is_in_place and self._process == os.getpid():
            with suppress(OSError):
                self.path.unlink()
        self.close()

    def close(self) -> None:
        """Close the file, which leaves it to other runs."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def owner_note() -> bytes:
    """Return the beginning of a JSON object, of constant length, that names this process as the file's owner."""
    return b'{"pid": %-10d, ' % os.getpid()


def _owner(descriptor: int) -> int | None:
    with suppress(OSError):
        note = _OWNER_NOTE.match(os.pread(descriptor, 64, 0))
        return None if note is None else int(note.group(1))
    return None


def _open(path: Path, flags: int) -> int:
    # Opened without blocking: opening a pipe at that path would wait for its other end.
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def _put_aside(path: Path) -> Path | None:
    """Move an older file away and return its new name; remove one that holds nothing but its first line."""
    try:
        try:
            descriptor = _open(path, os.O_RDWR)
        except PermissionError:  # An open file can be locked, even if it is not writable.
            descriptor = _open(path, os.O_RDONLY)
    except FileNotFoundError:
        return path.rename(_free_name(path)) if path.is_symlink() else None  # A link to no file.
    older = OwnedFile(path, descriptor)
    try:
        if not older.is_in_place:
            return None  # Another run was faster; the next attempt finds its file.
        if _has_a_second_line(descriptor):
            return path.rename(_free_name(path))
        path.unlink()
        return None
    finally:
        older.close()


def _has_a_second_line(descriptor: int) -> bool:
    ends = 0
    for part in _parts(descriptor):
        ends += part.count(b"\n")
        if ends > 1:
            return True
    return False


def _parts(descriptor: int) -> Iterator[bytes]:
    offset = 0
    while part := os.pread(descriptor, _READ_BYTES, offset):
        yield part
        offset += len(part)


def _free_name(path: Path) -> Path:
    names = (path.name + ".previous" + ("" if number == 1 else f"-{number}") for number in count(1))
    return next(candidate for name in names if not os.path.lexists(candidate := path.with_name(name)))


_open_files: weakref.WeakSet[OwnedFile] = weakref.WeakSet()


def _close_in_child() -> None:
    """Close the files in a forked child, which may outlive this process and must not keep its locks."""
    for file in list(_open_files):
        file.close()


os.register_at_fork(after_in_child=_close_in_child)
