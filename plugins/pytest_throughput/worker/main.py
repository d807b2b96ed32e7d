"""The worker: ``COMMAND -m pytest_throughput.worker.main``.

It speaks the protocol on the standard input and output that it was started with, so that a wrapper
(``docker run -i``, ``ssh``, ``srun``) can be the command, and keeps both for itself: what the
measured code prints goes to standard error, and what it tries to read is empty.
"""

from __future__ import annotations

import faulthandler
import os
import platform
import sys
from contextlib import suppress
from os import getpid
from typing import Optional, Tuple

__all__ = ["main"]


def main() -> int:
    """Answer requests until there are no more."""
    requests, answers, errors = _take_over_standard_streams()
    _forget_the_current_folder()
    # A fault in native code then says where in Python it was.
    faulthandler.enable()

    # Only now: whatever these imports print belongs on standard error.
    from pytest_throughput.measurement.leftovers import process_settings, works_on
    from pytest_throughput.worker.protocol import PROTOCOL_VERSION, Request, decode, encode
    from pytest_throughput.worker.trial import run_trial

    pid = getpid()
    hello = {
        "hello": PROTOCOL_VERSION,
        "python": platform.python_version(),
        "executable": sys.executable,
        "pid": pid,
    }
    # What a wrapper has said may lack the end of its line.
    _write_all(answers, b"\n" + encode(hello))
    pipes = _Pipes(requests, answers, errors)
    for line in os.fdopen(requests, "rb", closefd=False):
        message = decode(line)
        if message["folder"] is not None and os.path.isdir(message["folder"]):
            os.chdir(message["folder"])
        request = Request.from_json(message["request"])
        settings = process_settings()
        outcome = run_trial(request)
        if getpid() != pid:
            os._exit(1)  # A forked process does not answer.
        pipes.recover()
        _open_standard_streams(errors)
        reusable = not request.own_process and process_settings() == settings and not works_on()
        answer = {"id": message["id"], "pid": pid, "outcome": outcome.to_json(), "reusable": reusable}
        _write_all(answers, encode(answer))
    return 0


class _Pipes:
    """The worker's own descriptors, known by their files: a step may close them, and open others of that number."""

    def __init__(self, *descriptors: int) -> None:
        self._files = {descriptor: self._identity(descriptor) for descriptor in descriptors}

    def recover(self) -> None:
        """Make them block again. Raises SystemExit where they are no longer the same files."""
        for descriptor, identity in self._files.items():
            if self._identity(descriptor) != identity:
                sys.exit("the step has closed or replaced the descriptors of the pipes to pytest; it cannot answer")
            os.set_blocking(descriptor, True)

    @staticmethod
    def _identity(descriptor: int) -> Optional[Tuple[int, int]]:
        try:
            status = os.fstat(descriptor)
        except OSError:
            return None
        return status.st_dev, status.st_ino


def _write_all(descriptor: int, message: bytes) -> None:
    """Write all of it: a pipe may take a part."""
    while message:
        message = message[os.write(descriptor, message) :]


def _take_over_standard_streams() -> Tuple[int, int, int]:
    """Return descriptors of the requests, of the answers and of standard error that no child inherits."""
    requests, answers, errors = os.dup(0), os.dup(1), os.dup(2)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    _open_standard_streams(errors)
    protocol = [requests, answers]

    def close_in_forked_child() -> None:
        # Once: a child of the child may use the numbers for files of its own.
        while protocol:
            with suppress(OSError):
                os.close(protocol.pop())

    # A program that is executed does not get them; a forked Python would.
    os.register_at_fork(after_in_child=close_in_forked_child)
    return requests, answers, errors


def _open_standard_streams(errors: int) -> None:
    """Send standard output and error to where standard error went at first, whatever a step did to them."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(BaseException):  # The step may have replaced it by anything.
            stream.flush()
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        os.dup2(errors, descriptor)
        # Line by line, so that what was printed last is not lost with the process.
        stream = open(descriptor, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _forget_the_current_folder() -> None:
    """``-m`` puts it first on the path, where a ``torch.py`` lying about would be imported for torch."""
    if not getattr(sys.flags, "safe_path", False) and sys.path:
        del sys.path[0]


if __name__ == "__main__":
    sys.exit(main())
