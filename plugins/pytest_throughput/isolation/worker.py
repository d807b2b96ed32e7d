"""The worker: ``COMMAND -m pytest_throughput.isolation.worker``.

It speaks the protocol on the standard input and output that it was started with, so that a wrapper
(``docker run -i``, ``ssh``, ``srun``) can be the command, and keeps both for itself: what the
measured code prints goes to standard error, and what it tries to read is empty.
"""

from __future__ import annotations

import faulthandler
import os
import platform
import sys
from typing import BinaryIO, Optional, Sequence, Tuple

__all__ = ["main"]


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Answers requests until there are no more. The argument, if any, is the folder to work in."""
    requests, answers = _take_over_standard_streams()
    _forget_the_current_folder()
    # A fault in native code then says where in Python it was.
    faulthandler.enable()
    folder = (sys.argv[1:] if arguments is None else list(arguments))[:1]
    if folder and os.path.isdir(folder[0]):
        os.chdir(folder[0])

    # Only now: whatever these imports print belongs on standard error.
    from pytest_throughput.isolation.conduct import conduct
    from pytest_throughput.isolation.protocol import PROTOCOL_VERSION, Outcome, Request, decode, encode

    hello = {
        "hello": PROTOCOL_VERSION,
        "python": platform.python_version(),
        "executable": sys.executable,
        "pid": os.getpid(),
    }
    _write_all(answers, encode(hello))
    for line in requests:
        outcome = conduct(Request.from_json(decode(line)))
        try:
            answer = encode(outcome.to_json())
        except (TypeError, ValueError) as error:
            failure = Outcome("failed", reason=f"the step's facts are not JSON: {error}")
            answer = encode(failure.to_json())
        sys.stdout.flush()
        sys.stderr.flush()
        _write_all(answers, answer)
    return 0


def _write_all(stream: BinaryIO, message: bytes) -> None:
    """An unbuffered stream may write a part."""
    while message:
        message = message[stream.write(message) :]


def _take_over_standard_streams() -> Tuple[BinaryIO, BinaryIO]:
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    # Line by line, so that what was printed last is not lost with the process.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    return requests, answers


def _forget_the_current_folder() -> None:
    """``-m`` puts it first on the path, where a ``torch.py`` lying about would be imported for torch."""
    if not getattr(sys.flags, "safe_path", False) and sys.path:
        del sys.path[0]


if __name__ == "__main__":
    sys.exit(main())
