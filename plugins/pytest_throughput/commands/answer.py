"""The answer of a command, and the only functions that write to standard output and standard error."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import TextIO

from pytest_throughput.exit_code import ExitCode
from pytest_throughput.text import printable_lines

__all__ = ["Answer", "deliver", "note"]


@dataclass(frozen=True)
class Answer:
    """The output of a command. Its exit status is decided before anything is printed."""

    text: str = ""
    """Text for standard output."""
    status: int = ExitCode.OK
    problem: str | None = None
    """Text for standard error."""


def deliver(answer: Answer) -> int:
    """Print the answer and return its exit status.

    A reader that closes the pipe early (``| head -1``) does not change the status. If the output cannot be written for
    another reason, such as a full disk, status 0 becomes ``ExitCode.NOT_WRITTEN``.
    """
    if answer.problem is not None:
        _write(sys.stderr, answer.problem)
    error = _write(sys.stdout, answer.text) if answer.text else None
    if error is None or isinstance(error, BrokenPipeError):
        return answer.status
    _write(sys.stderr, f"pytest-throughput: the output could not be written: {error.strerror}")
    return answer.status or ExitCode.NOT_WRITTEN


def note(text: str) -> None:
    """Write a line to standard error while a command works."""
    _write(sys.stderr, f"pytest-throughput: {text}")


def _write(stream: TextIO | None, text: str) -> OSError | None:
    """Write lines without control sequences, in the stream's encoding; return the error if that fails."""
    if stream is None:  # It was closed before this process began, so the caller does not want its output.
        return None
    try:
        shown = printable_lines(text, colour=stream.isatty())
        encoding = stream.encoding or "utf-8"
        lines = shown.encode(encoding, "backslashreplace").decode(encoding) + "\n"
        if isinstance(getattr(stream, "buffer", None), io.RawIOBase):
            # An unbuffered stream, as with PYTHONUNBUFFERED, would not notice that a full disk accepted only a part.
            with open(stream.fileno(), "wb", closefd=False) as buffered:
                buffered.write(lines.encode(encoding))
        else:
            stream.write(lines)
            stream.flush()
    except OSError as error:
        # The rest of the stream's buffer would fail again when the interpreter ends, and change the exit status.
        with suppress(OSError):
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, stream.fileno())
            os.close(nothing)
        return error
    return None
