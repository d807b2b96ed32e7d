"""The program of a worker: ``COMMAND -m pytest_throughput.worker.main``, with arguments by ``worker_arguments``.

It uses its original standard input and output for the protocol, so that a wrapper (``docker run -i``, ``ssh``,
``srun``) can be the command. The measured code cannot use them: its standard output goes to standard error, and its
standard input is empty.
"""

from __future__ import annotations

import atexit
import faulthandler
import math
import os
import platform
import sys
from contextlib import suppress
from os import getpid
from typing import Any, Dict, Optional, Tuple

from pytest_throughput.worker.start import begin

__all__ = ["main"]


def main() -> None:
    """Answer questions until there are no more."""
    environment = begin(sys.argv[1:])
    requests, answers, errors = _take_over_standard_streams()
    _forget_the_current_folder()
    # A fault in native code then prints the Python traceback.
    faulthandler.enable()

    # Imported after the streams were redirected: anything that these imports print belongs on standard error.
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
    # The output of a wrapper before this line may lack the end of its last line.
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
            trial = Trial.of(request, environment=environment)
            answer["progress"] = trial.open().to_json()
        elif trial is None:
            raise RuntimeError(f"cannot {do}: no trial is open")
        elif do == "warm_up":
            answer["progress"] = trial.warm_up().to_json()
        elif do == "measure":
            seconds = question["seconds"]
            answer["progress"] = trial.measure(math.inf if seconds is None else seconds).to_json()
        elif do == "outcome":
            answer["outcome"] = trial.outcome().to_json()
        elif do == "profile":
            answer["outcome"] = trial.profile().to_json()
        elif do == "close":
            answer["outcome"] = trial.close().to_json()
            trial = None
        else:
            raise RuntimeError(f"cannot {do}: a trial is opened, warmed up, measured, profiled and closed")
        if getpid() != pid:
            os._exit(1)  # A forked process does not answer.
        pipes.recover()
        if trial is None:
            _open_standard_streams(errors)
            # A profiler may slow what follows: NVIDIA's keeps its hooks in the process.
            is_spent = request.own_process or request.profile is not None
            answer["reusable"] = not is_spent and process_settings() == settings and not works_on()
        _write_all(answers, encode(answer))


class _Pipes:
    """The descriptors of the protocol, identified by their files: a step may close them, and reuse their numbers."""

    def __init__(self, *descriptors: int) -> None:
        self._files = {descriptor: self._identity(descriptor) for descriptor in descriptors}

    def recover(self) -> None:
        """Make the descriptors blocking again. Raise SystemExit if they are no longer the same files."""
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
    """Write the whole message: a pipe may accept only a part of it at a time."""
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
        # Each is closed once: a child of the child may reuse the numbers for its own files.
        while protocol:
            with suppress(OSError):
                os.close(protocol.pop())

    # An executed program does not inherit the descriptors, but a forked Python does.
    os.register_at_fork(after_in_child=close_in_forked_child)
    return requests, answers, errors


def _open_standard_streams(errors: int) -> None:
    """Send standard output and error to where standard error went at first, whatever a step did to them."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(BaseException):  # The step may have replaced the stream by any object.
            stream.flush()
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        os.dup2(errors, descriptor)
        # Line-buffered, so that the last lines are not lost if the process is killed.
        stream = open(descriptor, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _forget_the_current_folder() -> None:
    """Take the current folder off the path, where ``-m`` puts it first: a ``torch.py`` there would hide torch."""
    if not getattr(sys.flags, "safe_path", False) and sys.path:
        del sys.path[0]


def _leave() -> None:
    """Run the functions that were registered for the exit, and end this process at once.

    Python would first free every object of the framework, which takes about a second for PyTorch and one and a half for
    TensorFlow, and would wait for threads that the step has left. Only a pool of processes needs Python's own end.
    """
    if "concurrent.futures.process" in sys.modules:
        return
    with suppress(Exception):
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    with suppress(Exception):
        import ctypes

        ctypes.CDLL(None).fflush(None)  # What native code has printed.
    os._exit(0)


if __name__ == "__main__":
    main()
    _leave()
