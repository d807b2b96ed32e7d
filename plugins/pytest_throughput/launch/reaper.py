"""A process that cleans up after a killed pytest: it kills the workers and removes their folder.

It sleeps on a pipe whose other end only pytest holds. However pytest ends, the kernel closes the
pipe; the reaper then kills or removes what is still on its list. Standard library only: it runs
as ``python -I -S reaper.py``, in some 8 MB.
"""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
from contextlib import suppress
from typing import NamedTuple

__all__ = ["FOLDER_PREFIX", "OwnFolder", "Reaper"]

FOLDER_PREFIX = "pytest-throughput-"
"""The beginning of the names of our temporary folders; no other folder is ever removed."""


class OwnFolder(NamedTuple):
    """A temporary folder that this run has made, identified by its inode: its path may come to name another folder."""

    path: str
    device: int
    inode: int

    @classmethod
    def just_made(cls, path: str) -> OwnFolder:
        """Return the folder that has been made at a path whose name begins with ``FOLDER_PREFIX``. Raise OSError."""
        made = os.lstat(path)
        return cls(path, made.st_dev, made.st_ino)

    @property
    def exists(self) -> bool:
        """Whether the path still names the folder that was made."""
        try:
            found = os.lstat(self.path)
        except OSError:
            return False
        return (
            stat.S_ISDIR(found.st_mode)
            and (found.st_dev, found.st_ino) == (self.device, self.inode)
            and found.st_uid == os.geteuid()
            and os.path.basename(self.path).startswith(FOLDER_PREFIX)
        )

    def remove(self) -> None:
        """Remove the folder with its content, as far as possible. Another folder of that name is left alone."""
        if not self.exists:
            return
        shutil.rmtree(self.path, ignore_errors=True)
        if self.exists:
            self._make_writable()
            shutil.rmtree(self.path, ignore_errors=True)

    def _make_writable(self) -> None:
        """Give the owner all rights to the folders, which a step may have taken away."""
        os.chmod(self.path, 0o700)
        for parent, folders, _ in os.walk(self.path):
            for folder in folders:
                with suppress(OSError):
                    if not os.path.islink(os.path.join(parent, folder)):
                        os.chmod(os.path.join(parent, folder), 0o700)


class Reaper:
    """Another process, with a list of process groups and folders to end and remove if this process dies."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C must not reach the reaper.
            cwd="/",
            bufsize=0,
        )
        assert self._process.stdin is not None
        _PIPES.add(self._process.stdin.fileno())

    def guard_group(self, group: int) -> None:
        """Put a process group on the list."""
        self._say(f"+group {group}")

    def release_group(self, group: int) -> None:
        """Take a process group off the list: it has ended, and its number may be reused."""
        self._say(f"-group {group}")

    def guard_folder(self, folder: OwnFolder) -> None:
        """Put a folder on the list."""
        # The path is sent as hexadecimal digits, since it may contain any bytes, such as spaces and newlines.
        self._say(f"+folder {os.fsencode(folder.path).hex()} {folder.device} {folder.inode}")

    def close(self) -> None:
        """End the reaper process, which first kills and removes what is left on the list."""
        assert self._process.stdin is not None
        _PIPES.discard(self._process.stdin.fileno())
        self._process.stdin.close()
        self._process.wait()

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        with suppress(OSError):  # The reaper was killed: the run goes on without its protection.
            self._process.stdin.write(line.encode("ascii") + b"\n")


_PIPES: set[int] = set()
"""Descriptors of the pipes to reapers."""


def _close_pipes() -> None:
    """Close the pipes in a forked child, which may outlive pytest: a reaper waits until no process holds its pipe."""
    while _PIPES:
        with suppress(OSError):
            os.close(_PIPES.pop())


os.register_at_fork(after_in_child=_close_pipes)


def _guard() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    guarded = set()
    for line in sys.stdin:
        action, what = line[0], line[1:]
        if action == "+":
            guarded.add(what)
        else:
            guarded.discard(what)
    # Process groups are ended before the folder that they may still read.
    for what in sorted(guarded, reverse=True):
        kind, *values = what.split()
        if kind == "group":
            with suppress(OSError):
                os.killpg(int(values[0]), signal.SIGKILL)
        else:
            path, device, inode = values
            OwnFolder(os.fsdecode(bytes.fromhex(path)), int(device), int(inode)).remove()


if __name__ == "__main__":
    _guard()
