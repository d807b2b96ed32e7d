"""A process that buries what a killed pytest leaves behind: workers, and their folder.

It sleeps on a pipe whose other end only pytest holds. However that process ends, the kernel closes
the pipe; what is still on the list by then is killed, or removed. Standard library only: it runs
as ``python -I -S guardian.py``, in some 8 MB.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

__all__ = ["Guardian"]


class Guardian:
    """The list of what is to be buried, kept by another process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is not for it.
            cwd="/",
            bufsize=0,
        )

    def guard_group(self, group: int) -> None:
        """A process group to be killed."""
        self._say(f"+group {group}")

    def release_group(self, group: int) -> None:
        """It has ended, and its number may become another's."""
        self._say(f"-group {group}")

    def guard_folder(self, folder: Path) -> None:
        """A folder to be removed."""
        self._say(f"+folder {folder}")

    def close(self) -> None:
        """Has it bury what is left, and end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        with suppress(OSError):  # Somebody has killed it: then nobody is guarded, and nothing else is wrong.
            self._process.stdin.write(os.fsencode(line) + b"\n")


def _guard() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    guarded = set()
    for line in sys.stdin.buffer:
        action, what = line[:1], line[1:].rstrip(b"\n")
        if action == b"+":
            guarded.add(what)
        else:
            guarded.discard(what)
    # Groups before the folder that they may still read.
    for kind, _, value in sorted((what.partition(b" ") for what in guarded), reverse=True):
        if kind == b"group":
            with suppress(OSError):
                os.killpg(int(value), signal.SIGKILL)
        else:
            shutil.rmtree(value, ignore_errors=True)


if __name__ == "__main__":
    _guard()
