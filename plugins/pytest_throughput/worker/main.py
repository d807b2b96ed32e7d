"""The worker: ``COMMAND -m pytest_throughput.worker.main``.

It speaks the protocol on the standard input and output that it was started with, so that a wrapper
(``docker run -i``, ``ssh``, ``srun``) can be the command. The measured code cannot use them: what it
prints goes to standard error, and what it tries to read is empty.
"""

from __future__ import annotations

import faulthandler
import math
import os
import platform
import sys
from contextlib import suppress
from os import getpid
from typing import Any, Dict, Optional, Tuple

__all__ = ["main"]


def main() -> int:
    """Answer questions until there are no more."""
    requests, answers, errors = _take_over_standard_streams()
    _forget_the_current_folder()
    # A fault in native code then says where in Python it was.
    faulthandler.enable()

    # Only now: whatever these imports print belongs on standard error.
    from pytest_throughput.measurement.leftovers import process_settings, works_on
    from pytest_throughput.worker.protocol import PROTOCOL_VERSION, Request, decode, encode
    from pytest_throughput.worker.trial import Trial

    pid = getpid()
    hello = {
        "hello": PROTOCOL_VERSION,
        "python": platform.python_version(),
        "executable": sys.executable,
        "pid": pid,
    }
    # What a wrapper has printed may lack the end of its line.
    _write_all(answers, b"\n" + encode(hello))
    pipes = _Pipes(requests, answers, errors)
    trial: Optional[Trial] = None
    for line in os.fdopen(requests, "rb", closefd=False):
        question = decode(line)
        do = question["do"]
        answer: Dict[str, Any] = {"id": question["id"], "pid": pid}
        if do == "open":
            if question["folder"] is not None and os.path.isdir(question["folder"]):
                os.chdir(question["folder"])
            request = Request.from_json(question["request"])
            settings = process_settings()
            trial = Trial.of(request)
            answer["progress"] = trial.open().to_json()
        elif trial is None:
            raise RuntimeError(f"cannot {do}: no trial is open")
        elif do == "warm_up":
            answer["progress"] = trial.warm_up().to_json()
        elif do == "measure":
            seconds = question["seconds"]
            answer["progress"] = trial.measure(math.inf if seconds is None else seconds).to_json()
        elif do == "close":
            answer["outcome"] = trial.close().to_json()
            trial = None
        else:
            raise RuntimeError(f"cannot {do}: a trial is opened, warmed up, measured and closed")
        if getpid() != pid:
            os._exit(1)  # A forked process does not answer.
        pipes.recover()
        if trial is None:
            _open_standard_streams(errors)
            answer["reusable"] = not request.own_process and process_settings() == settings and not works_on()
        _write_all(answers, encode(answer))
    return 0


class _Pipes:
    """The worker's own descriptors, recognised by their files: a step may close them and open others of that number."""

    def __init__(self, *descriptors: int) -> None:
        self._files = {descriptor: self._identity(descriptor) for descriptor in descriptors}

    def recover(self) -> None:
        """Make them block again. Raise SystemExit where they are no longer the same files."""
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
    """Take the current folder off the path, where ``-m`` puts it first: a ``torch.py`` there would hide torch."""
    if not getattr(sys.flags, "safe_path", False) and sys.path:
        del sys.path[0]


if __name__ == "__main__":
    sys.exit(main())
